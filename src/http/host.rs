//! Whom a request is addressed to. A page of a stranger can have a browser connect to a loopback address under a name
//! of its own and read the answers (DNS rebinding); so on loopback only names that nobody else can have are served.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::header::HOST;
use hyper::{HeaderMap, Uri, Version};

/// Whether a request to a loopback address may be answered: every host that it names is an address or `localhost`.
pub fn is_ours(version: Version, uri: &Uri, headers: &HeaderMap) -> bool {
    let hosts: Vec<&str> = headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or_default()).collect();
    let is_complete = match hosts.len() {
        // No browser leaves it out; a simple check of a load balancer does.
        0 => version < Version::HTTP_11,
        count => count == 1,
    };
    let named = hosts.into_iter().chain(uri.authority().map(|authority| authority.as_str()));
    is_complete && named.into_iter().all(is_local)
}

/// Whether `host`, which may have a port, is an address or `localhost`.
fn is_local(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || is_port(port));
    }
    let (name, port) = host.find(':').map_or((host, ""), |colon| host.split_at(colon));
    (port.is_empty() || is_port(port)) && (name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok())
}

fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether only this machine can connect to `address`.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn asked(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        is_ours(version, &uri.parse().unwrap(), &headers)
    }

    #[test]
    fn addresses_and_localhost_are_ours() {
        for host in ["127.0.0.1", "127.0.0.1:9187", "[::1]", "[::1]:80", "localhost", "LocalHost:1", "10.0.0.1"] {
            assert!(asked(Version::HTTP_11, "/", &[host]), "{host}");
        }
    }

    #[test]
    fn every_other_name_is_refused() {
        for host in [
            "evil.example",
            "evil.example:9187",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost.",
            "a@localhost",
            "localhost:80@evil.example",
            "[evil]",
            "[::1",
            "[::1]x",
            "::1",
            "127.1",
            "0x7f000001",
            "",
            ":80",
            "localhost:80:80",
        ] {
            assert!(!asked(Version::HTTP_11, "/", &[host]), "{host}");
        }
    }

    #[test]
    fn one_host_is_named_and_the_target_names_no_other() {
        assert!(!asked(Version::HTTP_11, "/", &[]));
        assert!(asked(Version::HTTP_10, "/", &[]));
        assert!(!asked(Version::HTTP_11, "/", &["localhost", "localhost"]));
        assert!(!asked(Version::HTTP_11, "http://evil.example/", &["localhost"]));
        assert!(!asked(Version::HTTP_11, "http://localhost/", &["evil.example"]));
        assert!(asked(Version::HTTP_11, "http://localhost/", &["localhost"]));
    }

    #[test]
    fn loopback_is_loopback_in_every_spelling() {
        for (address, wanted) in
            [("127.9.9.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("0.0.0.0", false), ("::", false)]
        {
            assert_eq!(is_loopback(address.parse().unwrap()), wanted, "{address}");
        }
    }
}
