//! Every range, at its first and last address and one step outside of it.

use super::*;

fn check(public: bool, addresses: &str) {
    for text in addresses.split_whitespace() {
        let address = text.parse().expect(text);
        assert_eq!(is_public(address), public, "{text}");
    }
}

#[test]
fn ipv4_ranges_end_where_they_should() {
    check(false, "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 127.0.0.1 127.255.255.255");
    check(true, "1.0.0.0 9.255.255.255 11.0.0.0 126.255.255.255 128.0.0.0");
    check(false, "100.64.0.0 100.127.255.255 169.254.0.0 169.254.169.254 169.254.255.255");
    check(true, "100.63.255.255 100.128.0.0 169.253.255.255 169.255.0.0");
    check(false, "172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255");
    check(true, "172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0");
    check(false, "192.0.0.0 192.0.0.255 192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255");
    check(true, "191.255.255.255 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0");
    check(false, "198.18.0.0 198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255");
    check(true, "198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0");
    check(false, "224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.254 255.255.255.255");
    check(true, "223.255.255.255 8.8.8.8 1.1.1.1");
}

#[test]
fn ipv6_outside_of_global_unicast_is_not_public() {
    check(false, ":: ::1 ::2 100::1 5f00::1 fc00:: fdff:ffff::1 fe80::1 febf::1 fec0::1 feff::1");
    check(false, "ff00:: ff02::1 ffff:: 4000:: 1fff:ffff::1 64:ff9a::1 64:ff9b:1::808:808");
}

#[test]
fn ipv6_inside_of_global_unicast() {
    check(true, "2000::1 2001:4860:4860::8888 2606:4700::1111 2a00:1450::1 3ffe:ffff::1 2001:200::");
    check(false, "2001::1 2001:0:4136:e378::1 2001:2::1 2001:10::1 2001:20::1 2001:1ff:ffff::1");
    check(false, "2001:db8:: 2001:db8:ffff::1 2002:: 2002:808:808::1 2002:7f00:1::1 3fff:: 3fff:fff::1");
    check(true, "2001:db7::1 2001:db9::1 2003::1 3fff:1000::1");
}

#[test]
fn an_ipv4_address_inside_of_an_ipv6_address_counts() {
    check(false, "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0");
    check(true, "::ffff:8.8.8.8");
    check(false, "64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b::10.0.0.1");
    check(true, "64:ff9b::8.8.8.8");
    check(false, "::127.0.0.1 ::169.254.169.254 ::8.8.8.8");
}
