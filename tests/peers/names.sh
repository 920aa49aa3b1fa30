# run: unshare --map-root-user --net --mount sh names.sh COMMAND…
# A command in a network of its own, with a name server (dnsmasq) and two servers to which its names lead, as the file
# `names` says. What `names.new` says later is taken over. The servers leave their counts in first.json and second.json.
set -eu
PATH=$PATH:/usr/sbin:/sbin
program=$1
ip link set lo up
printf 'nameserver 127.0.0.1\noptions attempts:1 timeout:2\n' >resolv.conf
printf 'hosts: dns\n' >nsswitch.conf
for file in resolv.conf nsswitch.conf; do
    if [ -e "/etc/$file" ]; then mount --bind "$file" "/etc/$file"; fi
done

# As it is when it is debugged it stays the user that it is.
dnsmasq --conf-file=/dev/null --no-daemon --pid-file= \
    --no-resolv --no-hosts --addn-hosts="$PWD/names" --listen-address=127.0.0.1 --bind-interfaces \
    --log-queries --log-facility="$PWD/dns.txt" &
running=$!
# The input of the servers, with whose end they would end. It has none while it is open here.
mkfifo life
exec 9<>life
for server in 2:first 3:second; do
    "$program" serve --tied --host "127.0.0.${server%:*}" --port 9001 <&9 >"${server#*:}.txt" &
    running="$running $!"
done
listens() { grep -q listening "$1.txt"; }
patience=1000
until grep -qs started dns.txt && listens first && listens second; do
    if [ $((patience -= 1)) -eq 0 ]; then
        cat dns.txt >&2
        kill $running
        exit 1
    fi
    sleep 0.01
done

"$@" &
command=$!
(
    while kill -0 "$command"; do
        if [ -e names.new ]; then
            mv names.new names
            kill -HUP "${running%% *}"
        fi
        # Whoever began this is gone.
        kill -0 $$ || kill "$command"
        sleep 0.02
    done
    kill $running
) 2>/dev/null &
code=0
wait "$command" || code=$?
wait $running || true
for server in first second; do tail -n 1 "$server.txt" >"$server.json"; done
exit "$code"
