//! Tests how TCP ends, seen from both ends: FIN, RST, or nothing.

use super::*;

fn reset(tcp: TcpStream) {
    socket2::SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn a_reset_of_either_side_is_passed_on_as_one() {
    let scene = Scene::new(&[]);
    let (client, server) = scene.open(GOOD);
    reset(client);
    assert_eq!(read_to_end(&server).1, Ended::Rst);
    let (client, server) = scene.open(GOOD);
    reset(server);
    assert_eq!(read_to_end(&client).1, Ended::Rst);
}

#[test]
fn a_server_that_is_gone_for_good_resets_a_client_that_goes_on() {
    let scene = Scene::new(&[]);
    let (client, server) = scene.open(GOOD);
    drop(server);
    assert_eq!(read_to_end(&client).1, Ended::Fin);
    write_until_broken(&client);
}

/// Writes until an error, because after a FIN only a write shows a reset.
fn write_until_broken(mut tcp: &TcpStream) {
    let give_up = Instant::now() + MAX_WAIT;
    while Instant::now() < give_up {
        match tcp.write_all(b".") {
            Ok(()) => std::thread::sleep(ms(2)),
            Err(error) => {
                let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                return assert!(kinds.contains(&error.kind()), "{error}");
            }
        }
    }
    panic!("never broken");
}

#[test]
fn a_reset_of_the_path_resets_both_sides() {
    let scene = Scene::new(&[fault(PathFaultKind::Reset).after(ms(0)).it]);
    let (client, server) = scene.open(BAD);
    let (good, good_server) = scene.open(GOOD);
    assert!(is_well(&client, &server));
    scene.measure();
    assert_eq!(read_to_end(&client).1, Ended::Rst);
    assert_eq!(read_to_end(&server).1, Ended::Rst);
    assert!(is_well(&good, &good_server));
    let (later, later_server) = scene.open(BAD);
    assert!(
        is_well(&later, &later_server),
        "it strikes only what was open"
    );
}

#[test]
fn a_half_close_ends_one_half_and_the_other_goes_on() {
    let half_close = PathFaultKind::HalfClose(Direction::ToServer);
    let scene = Scene::new(&[fault(half_close).after(ms(0)).it]);
    let (client, server) = scene.open(BAD);
    scene.measure();
    assert_eq!(read_to_end(&server), (Vec::new(), Ended::Fin));
    write(&client, b"to nobody");
    write(&server, b"to somebody");
    assert_eq!(read(&client, 11), b"to somebody");
    drop(server);
    assert_eq!(read_to_end(&client), (Vec::new(), Ended::Fin));

    let half_close = PathFaultKind::HalfClose(Direction::ToClient);
    let scene = Scene::new(&[fault(half_close).after(ms(0)).it]);
    let (client, server) = scene.open(BAD);
    scene.measure();
    assert_eq!(read_to_end(&client), (Vec::new(), Ended::Fin));
    write(&client, b"to somebody");
    assert_eq!(read(&server, 11), b"to somebody");
}

#[test]
fn a_forgotten_connection_is_silent_until_a_side_speaks() {
    let scene = Scene::new(&[fault(PathFaultKind::Forget).after(ms(0)).it]);
    let (client, server) = scene.open(BAD);
    let (good, good_server) = scene.open(GOOD);
    assert!(is_well(&client, &server));
    scene.measure();
    assert!(is_quiet(&client), "no FIN and no RST at the time");
    assert!(is_quiet(&server));
    write_until_reset(&client);
    assert!(is_quiet(&server), "each side finds out by itself");
    write_until_reset(&server);
    assert!(is_well(&good, &good_server));
}

#[test]
fn a_fin_on_a_forgotten_connection_is_answered_with_a_rst() {
    let scene = Scene::new(&[fault(PathFaultKind::Forget).it]);
    let (client, server) = scene.open(BAD);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client).1, Ended::Rst);
    assert!(is_quiet(&server));
}

#[test]
fn a_cut_ends_both_sides_in_the_middle_of_a_frame() {
    let scene = Scene::new(&[fault(PathFaultKind::Cut).after(ms(0)).it]);
    let (client, server) = scene.open(BAD);
    assert!(is_well(&client, &server));
    scene.measure();
    assert!(is_quiet(&client), "there is no frame to cut yet");
    write(&server, b"\x82\x04data\x82\x04more");
    assert_eq!(read_to_end(&client), (b"\x82\x04d".to_vec(), Ended::Fin));
    assert_eq!(read_to_end(&server), (Vec::new(), Ended::Fin));
}

#[test]
fn a_frozen_connection_can_still_be_reset() {
    let scene = Scene::new(&[
        fault(PathFaultKind::Freeze).it,
        fault(PathFaultKind::Reset).after(ms(0)).it,
    ]);
    let (client, server) = scene.open(BAD);
    scene.measure();
    assert_eq!(read_to_end(&client).1, Ended::Rst);
    assert_eq!(read_to_end(&server).1, Ended::Rst);
}
