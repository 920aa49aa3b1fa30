# run: varnishd -F -n @folder@/work -a @listen@ -f @file@ -p pipe_timeout=@timeout@
# Stands before a server, and ends a tunnel in which nothing is said. In the foreground.
vcl 4.1;

backend behind {
    .host = "@behind_host@";
    .port = "@behind_port@";
}

sub vcl_recv {
    return (pipe);
}

sub vcl_pipe {
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
}
