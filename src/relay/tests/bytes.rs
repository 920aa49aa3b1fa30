//! Tests which bytes pass, and when: delay, freeze, drop, throttle, back pressure.

use super::*;
use proptest::prelude::*;
use std::thread;

fn delay(by: Duration, jitter: Duration) -> PathFaultKind {
    PathFaultKind::Delay { by, jitter }
}

#[test]
fn without_a_fault_bytes_pass_both_ways_and_one_half_can_end_alone() {
    let scene = Scene::new(&[]);
    let (client, server) = scene.open(GOOD);
    assert!(is_well(&client, &server));
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&server), (Vec::new(), Ended::Fin));
    write(&server, b"still here");
    drop(server);
    assert_eq!(read_to_end(&client), (b"still here".to_vec(), Ended::Fin));
}

#[test]
fn a_delay_is_added_each_way_and_hardly_more() {
    let scene = Scene::new(&[fault(delay(ms(5), ms(0))).it]);
    let (client, server) = scene.open(BAD);
    let mut least_late = MAX_WAIT;
    // Tries often, because other tests load the machine: one quiet moment is enough.
    for _ in 0..20 {
        let mut times: Vec<Duration> = (0..15)
            .map(|_| {
                let start = Instant::now();
                assert!(is_well(&client, &server));
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        assert!(times[0] >= ms(10), "{:?}", times[0]);
        least_late = least_late.min(times[times.len() / 2] - ms(10));
        // A round trip has two delays, each about 200 µs late. With the runtime's own timer the median would be more
        // than 2 ms.
        if least_late < Duration::from_micros(1_000) {
            return;
        }
    }
    panic!("half of the round trips are {least_late:?} late");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn bytes_come_whole_and_in_order_under_random_delay(
        sizes in prop::collection::vec(1usize..40_000, 1..40),
        jitter_us in 0u64..3_000,
    ) {
        let jitter = Duration::from_micros(jitter_us);
        let scene = Scene::new(&[fault(delay(ms(1), jitter)).it]);
        let (client, server) = scene.open(BAD);
        let sent: Vec<u8> = (0..sizes.iter().sum()).map(|place: usize| (place % 251) as u8).collect();
        thread::scope(|scope| {
            // The target echoes, and ends its half after the client has.
            scope.spawn(|| {
                std::io::copy(&mut &server, &mut &server).unwrap();
                server.shutdown(std::net::Shutdown::Write).unwrap();
            });
            scope.spawn(|| {
                let mut rest = sent.as_slice();
                for size in &sizes {
                    let (part, after) = rest.split_at(*size);
                    write(&client, part);
                    rest = after;
                }
                client.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let (came, ended) = read_to_end(&client);
            assert_eq!(ended, Ended::Fin);
            assert!(came == sent, "{} bytes of {}", came.len(), sent.len());
        });
    }
}

#[test]
fn a_delay_ends_in_its_time_and_bytes_keep_their_order() {
    let scene = Scene::new(&[fault(delay(ms(600), ms(0))).lasting(ms(300)).it]);
    let (client, server) = scene.open(BAD);
    let opened = Instant::now();
    write(&client, b"late ");
    thread::sleep(ms(350));
    write(&client, b"prompt");
    assert_eq!(read(&server, 11), b"late prompt");
    assert!(opened.elapsed() > ms(590), "{:?}", opened.elapsed());
    let start = Instant::now();
    assert!(is_well(&client, &server));
    assert!(start.elapsed() < ms(600), "it is over");
}

#[test]
fn a_freeze_holds_everything_and_lets_it_go_afterwards() {
    let scene = Scene::new(&[fault(PathFaultKind::Freeze)
        .after(ms(0))
        .lasting(ms(300))
        .it]);
    let (client, server) = scene.open(BAD);
    let (good, good_server) = scene.open(GOOD);
    let from = scene.measure();
    // Waits until the relay has received the order; until then, bytes may pass.
    thread::sleep(ms(20));
    let (late, late_server) = scene.open(BAD);
    for sender in [&client, &server, &late] {
        write(sender, b"held");
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    }
    assert!(is_well(&good, &good_server));
    for receiver in [&server, &client, &late_server] {
        assert_eq!(read_to_end(receiver), (b"held".to_vec(), Ended::Fin));
        assert!(from.elapsed() >= ms(300), "{:?}", from.elapsed());
    }
    assert_eq!(scene.stop().bytes_lost, 0);
}

#[test]
fn a_drop_throws_one_direction_away_and_holds_its_end_back() {
    let drop_fault = PathFaultKind::Drop(Direction::ToClient);
    let scene = Scene::new(&[fault(drop_fault).lasting(ms(300)).it]);
    let (client, server) = scene.open(BAD);
    let opened = Instant::now();
    write(&server, b"lost");
    server.shutdown(std::net::Shutdown::Write).unwrap();
    write(&client, b"comes");
    assert_eq!(read(&server, 5), b"comes");
    assert_eq!(read_to_end(&client), (Vec::new(), Ended::Fin));
    assert!(opened.elapsed() > ms(250), "{:?}", opened.elapsed());
    assert_eq!(scene.stop().bytes_lost, 4);
}

#[test]
fn a_throttle_passes_its_rate_each_way() {
    let rate = crate::units::ByteSize(100_000);
    let scene = Scene::new(&[fault(PathFaultKind::Throttle(rate)).it]);
    let (client, server) = scene.open(BAD);
    thread::scope(|scope| {
        for (one, other) in [(&client, &server), (&server, &client)] {
            scope.spawn(move || {
                let start = Instant::now();
                write(one, &[7; 50_000]);
                assert_eq!(read(other, 50_000), [7; 50_000]);
                let took = start.elapsed();
                assert!(took >= ms(480), "{took:?}");
            });
        }
    });
    assert_eq!(
        scene.stop().backed_up,
        0,
        "waiting is what a throttle is for"
    );
}

#[test]
fn what_is_held_has_a_limit_and_then_the_sender_waits() {
    let scene = Scene::new(&[fault(delay(MAX_WAIT * 10, ms(0))).it]);
    let (mut client, _server) = scene.open(BAD);
    client.set_write_timeout(Some(ms(200))).unwrap();
    let mut taken = 0;
    let blocked = loop {
        match client.write(&[0; 64 << 10]) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
        assert!(taken < 64 << 20, "it takes everything");
    };
    assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
    let log = scene.stop();
    assert_eq!((log.backed_up, log.bytes_to_server), (1, 0));
}
