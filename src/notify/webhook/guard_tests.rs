use super::*;

fn private(networks: &[&str]) -> Policy {
    Policy { private: networks.iter().map(|text| text.parse().expect("a network")).collect(), ..Policy::default() }
}

/// Whatever begins as the first, and what its refusal must say.
const HOSTILE: &[(&str, &str)] = &[
    // Schemes.
    ("", "must begin with https://"),
    ("hooks.example.com", "must begin with https://"),
    ("http://hooks.example.com/", "must begin with https://: this server does not allow http (webhook.allow_http)"),
    ("ftp://hooks.example.com/", "must begin with https://"),
    ("file:///etc/passwd", "must begin with https://"),
    ("gopher://hooks.example.com:6379/_INFO", "must begin with https://"),
    ("javascript://hooks.example.com/%0aalert(1)", "must begin with https://"),
    ("https:hooks.example.com", "must begin with https://"),
    ("https:/hooks.example.com", "must begin with https://"),
    ("//hooks.example.com/", "must begin with https://"),
    ("jar:https://hooks.example.com!/", "must begin with https://"),
    // The text.
    (" https://hooks.example.com/", "spaces"),
    ("https://hooks.example.com/ x", "spaces"),
    ("https://hooks.example.com/\r\nHost: inside", "spaces"),
    ("ht\ttps://127.0.0.1/", "spaces"),
    ("https:\\\\127.0.0.1\\", "backslashes"),
    ("https://hooks.example.com\\@127.0.0.1/", "backslashes"),
    ("https://hooks.example.com\u{0}.evil.example/", "control"),
    ("https:///hooks.example.com/", "must name a host"),
    ("https://", "must name a host"),
    ("https://?x", "must name a host"),
    ("https://:8443/", "is not a URI"),
    // What does not belong in it.
    ("https://user@hooks.example.com/", "user or a password"),
    ("https://user:password@hooks.example.com/", "user or a password"),
    ("https://@hooks.example.com/", "user or a password"),
    ("https://hooks.example.com@127.0.0.1/", "user or a password"),
    ("https://hooks.example.com#@127.0.0.1/", "fragment"),
    ("https://hooks.example.com/#x", "fragment"),
    // Ports.
    ("https://hooks.example.com:22/", "port"),
    ("https://hooks.example.com:25/", "port"),
    ("https://hooks.example.com:80/", "port"),
    ("https://hooks.example.com:0/", "port"),
    ("https://hooks.example.com:65536/", "is not a URI"),
    // Names.
    ("https://localhost/", "localhost"),
    ("https://LOCALHOST/", "localhost"),
    ("https://a.localhost:8443/", "localhost"),
    ("https://localhost.localdomain/", "localdomain"),
    ("https://localhost./", "dot"),
    ("https://hooks.example.com./", "dot"),
    ("https://hooks..example.com/", "empty label"),
    ("https://printer.local/", "local"),
    ("https://metadata.google.internal/computeMetadata/v1/", "internal"),
    ("https://kubernetes.default.svc.cluster.local/", "local"),
    ("https://router.home.arpa/", "home.arpa"),
    ("https://vault.corp/", "corp"),
    ("https://nas.lan/", "lan"),
    ("https://expyuzz4wqqyqhjn.onion/", "onion"),
    ("https://instance-data/latest/meta-data/", "full domain name"),
    ("https://kubernetes/", "full domain name"),
    ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "localhost"),
    ("https://loc%61lhost/", "localhost"),
    ("https://xn--/", "is not a URI"),
    // IPv4 in every form.
    ("https://127.0.0.1/", "loopback"),
    ("https://127.1/", "loopback"),
    ("https://127.0.1/", "loopback"),
    ("https://2130706433/", "loopback"),
    ("https://0x7f000001/", "loopback"),
    ("https://0x7f.0.0.1/", "loopback"),
    ("https://0177.0.0.1/", "loopback"),
    ("https://017700000001/", "loopback"),
    ("https://0X7F.1/", "loopback"),
    ("https://127.0.0.1./", "loopback"),
    ("https://%31%32%37.0.0.1/", "loopback"),
    ("https://１２７.０.０.１/", "loopback"),
    ("https://127。0。0。1/", "loopback"),
    ("https://①②⑦.0.0.1/", "loopback"),
    ("https://127.255.255.254/", "loopback"),
    ("https://0.0.0.0/", "this network"),
    ("https://0/", "this network"),
    ("https://0.1.2.3/", "this network"),
    ("https://10.0.0.1/", "private"),
    ("https://172.16.0.1/", "private"),
    ("https://172.31.255.255/", "private"),
    ("https://192.168.1.1/", "private"),
    ("https://3232235777/", "private"),
    ("https://100.64.0.1/", "provider"),
    ("https://100.100.100.200/latest/meta-data/", "provider"),
    ("https://169.254.169.254/latest/meta-data/", "link-local"),
    ("https://169.254.170.2/v2/credentials/", "link-local"),
    ("https://0xa9fea9fe/", "link-local"),
    ("https://168.63.129.16/", "metadata"),
    ("https://192.0.0.192/", "reserved"),
    ("https://192.0.2.1/", "documentation"),
    ("https://198.51.100.1/", "documentation"),
    ("https://203.0.113.1/", "documentation"),
    ("https://192.88.99.1/", "tunnel"),
    ("https://198.18.0.1/", "benchmarks"),
    ("https://198.19.255.255/", "benchmarks"),
    ("https://224.0.0.1/", "multicast"),
    ("https://239.255.255.250/", "multicast"),
    ("https://240.0.0.1/", "reserved"),
    ("https://255.255.255.255/", "broadcast"),
    ("https://1.2.3.4.5/", "is not a URI"),
    ("https://256.0.0.1/", "is not a URI"),
    ("https://4294967296/", "is not a URI"),
    // IPv6, and IPv4 inside it.
    ("https://[::1]/", "loopback"),
    ("https://[0:0:0:0:0:0:0:1]:8443/", "loopback"),
    ("https://[::]/", "unspecified"),
    ("https://[::ffff:127.0.0.1]/", "loopback"),
    ("https://[::ffff:7f00:1]/", "loopback"),
    ("https://[::ffff:169.254.169.254]/", "link-local"),
    ("https://[::ffff:0:127.0.0.1]/", "not global unicast"),
    ("https://[::127.0.0.1]/", "obsolete"),
    ("https://[::7f00:1]/", "obsolete"),
    ("https://[64:ff9b::127.0.0.1]/", "loopback"),
    ("https://[64:ff9b::a00:1]/", "private"),
    ("https://[64:ff9b::169.254.169.254]/", "link-local"),
    ("https://[64:ff9b:1::7f00:1]/", "translation"),
    ("https://[64:ff9b:1:7f00:0:100::]/", "translation"),
    ("https://[2002:7f00:1::]/", "tunnel"),
    ("https://[2002:a9fe:a9fe::1]/", "tunnel"),
    ("https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", "tunnel"),
    ("https://[2001:10::1]/", "reserved"),
    ("https://[2001:db8::1]/", "documentation"),
    ("https://[3fff::1]/", "documentation"),
    ("https://[fc00::1]/", "private"),
    ("https://[fd00:ec2::254]/latest/meta-data/", "private"),
    ("https://[fe80::1]/", "link-local"),
    ("https://[febf::1]/", "link-local"),
    ("https://[fec0::1]/", "site-local"),
    ("https://[ff02::1]/", "multicast"),
    ("https://[100::1]/", "discarded"),
    ("https://[5f00::1]/", "not global unicast"),
    ("https://[4000::1]/", "not global unicast"),
    ("https://[2a01:4f8::200:5efe:10.0.0.1]/", "private"),
    ("https://[2a01:4f8::5efe:127.0.0.1]/", "loopback"),
    ("https://[fe80::1%25eth0]/", "is not a URI"),
    ("https://[::1/", "is not a URI"),
];

#[test]
fn hostile_endpoints_are_refused_with_the_rule() {
    assert!(HOSTILE.len() >= 60);
    for (uri, rule) in HOSTILE {
        let found = check_uri(uri, &Policy::default()).expect_err(uri);
        assert!(found.contains(rule), "{uri}: {found}");
    }
}

#[test]
fn what_is_long_is_refused_before_it_is_read() {
    let path = "x".repeat(LONGEST);
    assert!(check_uri(&format!("https://hooks.example.com/{path}"), &Policy::default()).is_err());
    let label = "x".repeat(64);
    assert!(check_uri(&format!("https://{label}.example.com/"), &Policy::default()).is_err());
    let name = "x.".repeat(127);
    assert!(check_uri(&format!("https://{name}com/"), &Policy::default()).is_err());
}

#[test]
fn public_endpoints_are_accepted() {
    for (uri, read) in [
        ("https://hooks.example.com", "https://hooks.example.com/"),
        ("HTTPS://Hooks.Example.COM/In?a=b%20c&d", "https://hooks.example.com/In?a=b%20c&d"),
        ("https://hooks.example.com:443/", "https://hooks.example.com/"),
        ("https://hooks.example.com:8443/x", "https://hooks.example.com:8443/x"),
        ("https://bücher.example/einkauf", "https://xn--bcher-kva.example/einkauf"),
        ("https://hooks.example.com/{id}|x", "https://hooks.example.com/%7Bid%7D|x"),
        ("https://hooks.example.com/übergabe", "https://hooks.example.com/%C3%BCbergabe"),
        ("https://notlocalhost.example/", "https://notlocalhost.example/"),
        ("https://mylocal.com/", "https://mylocal.com/"),
        ("https://internal.example.com/", "https://internal.example.com/"),
        ("https://1.1.1.1/", "https://1.1.1.1/"),
        ("https://172.15.0.1/", "https://172.15.0.1/"),
        ("https://172.32.0.1/", "https://172.32.0.1/"),
        ("https://100.128.0.1/", "https://100.128.0.1/"),
        ("https://168.63.129.17/", "https://168.63.129.17/"),
        ("https://[2606:4700::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("https://[64:ff9b::1.1.1.1]/", "https://[64:ff9b::101:101]/"),
        ("https://[2003::1]/", "https://[2003::1]/"),
    ] {
        assert_eq!(check_uri(uri, &Policy::default()).map(String::from).as_deref(), Ok(read), "{uri}");
    }
}

#[test]
fn a_policy_accepts_what_it_names_and_nothing_beside() {
    let http = Policy { allow_http: true, ..Policy::default() };
    for (uri, policy, good) in [
        ("http://hooks.example.com/", &http, true),
        ("http://hooks.example.com:8080/", &http, true),
        ("http://hooks.example.com:443/", &http, false),
        ("http://127.0.0.1/", &http, false),
        ("gopher://hooks.example.com/", &http, false),
        ("https://10.1.2.3/", &private(&["10.1.0.0/16"]), true),
        ("https://[::ffff:10.1.2.3]/", &private(&["10.1.0.0/16"]), true),
        ("https://[64:ff9b::10.1.2.3]/", &private(&["10.1.0.0/16"]), true),
        ("https://10.2.2.3/", &private(&["10.1.0.0/16"]), false),
        ("https://127.0.0.1/", &private(&["10.1.0.0/16"]), false),
        ("https://[fd12::1]/", &private(&["10.1.0.0/16", "fd12::/16"]), true),
        ("https://[fd13::1]/", &private(&["10.1.0.0/16", "fd12::/16"]), false),
        ("https://[::ffff:10.1.2.3]/", &private(&["::/0"]), false),
        // The address behind a name decides.
        ("https://hooks.internal/", &private(&["10.1.0.0/16"]), true),
        ("https://receiver/", &private(&["10.1.0.0/16"]), true),
        ("https://receiver./", &private(&["10.1.0.0/16"]), false),
        ("http://receiver/", &private(&["10.1.0.0/16"]), false),
    ] {
        assert_eq!(check_uri(uri, policy).is_ok(), good, "{uri}");
    }
}

#[test]
fn the_edges_of_every_network_are_inside_it_and_their_neighbours_are_judged_alone() {
    for (network, bits, kind) in V4 {
        let first = network.to_bits();
        let last = first | u32::MAX.checked_shr(bits).unwrap_or(0);
        for edge in [first, last] {
            assert!(check_v4(Ipv4Addr::from_bits(edge)).is_err(), "{network}/{bits} {kind}");
        }
    }
    for (network, bits, kind) in V6 {
        let first = network.to_bits();
        let last = first | u128::MAX.checked_shr(bits).unwrap_or(0);
        for edge in [first, last] {
            assert!(check_v6(Ipv6Addr::from_bits(edge), &Policy::default()).is_err(), "{network}/{bits} {kind}");
        }
    }
    for public in ["9.255.255.255", "11.0.0.0", "126.255.255.255", "128.0.0.0", "191.255.255.255", "223.255.255.255"] {
        assert_eq!(check_v4(public.parse().expect("an address")), Ok(()), "{public}");
    }
}
