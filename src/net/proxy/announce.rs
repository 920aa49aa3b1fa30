//! The PROXY protocol (haproxy.org, doc/proxy-protocol.txt): what a load balancer says of a client to the server behind
//! it, before anything else.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Returns the header of version 1: one line of text. Both ends are written as addresses of IPv6 if one of them is.
pub(super) fn text(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    let (client_ip, server_ip) = same_family(client.ip(), server.ip());
    let family = match client_ip {
        IpAddr::V4(_) => "TCP4",
        IpAddr::V6(_) => "TCP6",
    };
    let (from, to) = (client.port(), server.port());
    format!("PROXY {family} {client_ip} {server_ip} {from} {to}\r\n").into_bytes()
}

/// Returns the header of version 2, in bytes.
pub(super) fn binary(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    const PROXY: u8 = 0x21;
    const TCP_OVER_IPV4: u8 = 0x11;
    const TCP_OVER_IPV6: u8 = 0x21;
    let mut header = SIGNATURE.to_vec();
    let (family, addresses) = match same_family(client.ip(), server.ip()) {
        (IpAddr::V4(client), IpAddr::V4(server)) => {
            (TCP_OVER_IPV4, [client.octets(), server.octets()].concat())
        }
        (client, server) => {
            let octets = [client, server].map(|ip| mapped(ip).octets());
            (TCP_OVER_IPV6, octets.concat())
        }
    };
    header.extend([PROXY, family]);
    header.extend((addresses.len() as u16 + 4).to_be_bytes());
    header.extend(addresses);
    header.extend(client.port().to_be_bytes());
    header.extend(server.port().to_be_bytes());
    header
}

fn same_family(client: IpAddr, server: IpAddr) -> (IpAddr, IpAddr) {
    match client.is_ipv4() == server.is_ipv4() {
        true => (client, server),
        false => (mapped(client).into(), mapped(server).into()),
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn version_1_is_a_line() {
        for (client, server, line) in [
            (
                "203.0.113.7:40000",
                "127.0.0.1:80",
                "PROXY TCP4 203.0.113.7 127.0.0.1 40000 80\r\n",
            ),
            (
                "[2001:db8::1]:9",
                "[::1]:80",
                "PROXY TCP6 2001:db8::1 ::1 9 80\r\n",
            ),
            (
                "203.0.113.7:9",
                "[::1]:80",
                "PROXY TCP6 ::ffff:203.0.113.7 ::1 9 80\r\n",
            ),
        ] {
            assert_eq!(
                String::from_utf8(text(at(client), at(server))).unwrap(),
                line
            );
        }
    }

    #[test]
    fn version_2_says_how_long_it_is() {
        let header = binary(at("203.0.113.7:40000"), at("127.0.0.1:80"));
        let rest = [
            0x21, 0x11, 0, 12, 203, 0, 113, 7, 127, 0, 0, 1, 0x9c, 0x40, 0, 80,
        ];
        assert_eq!(header, [&SIGNATURE[..], &rest].concat());
        let header = binary(at("[2001:db8::1]:9"), at("127.0.0.1:80"));
        assert_eq!((header[13], header[15]), (0x21, 36));
        assert_eq!(header.len(), 16 + 36);
    }
}
