use super::*;
use crate::linux::identity::{sets, uncommented};

#[test]
fn addresses_are_told_from_what_only_looks_alike() {
    for fixed in ["Address=10.0.0.5/24", "Address = 10.0.0.5/24"] {
        assert!(is_address(fixed), "{fixed}");
    }
    for free in ["Address=0.0.0.0/28", "Address=::/64", "Address=", "DHCP=yes", "AddressAutoconfiguration=1"]
    {
        assert!(!is_address(free), "{free}");
    }
    for fixed in ["method = manual", "address1=10.0.0.5/24,10.0.0.1", "addresses=1", "address=x"] {
        assert!(is_manual(fixed), "{fixed}");
    }
    for free in ["method=auto", "mac-address=00:11", "address1=", "address-data=x"] {
        assert!(!is_manual(free), "{free}");
    }
    for fixed in
        ["ip=10.0.0.5::10.0.0.1:255.255.255.0::eth0:none", "ip=[fd00::5]::::eth0:none", "nfsaddrs=10.0.0.5"]
    {
        assert!(is_address_of_kernel(fixed), "{fixed}");
    }
    for free in
        ["ip=dhcp", "ip=eth0:dhcp", "ip=:::::eth0:dhcp", "ip=0.0.0.0::::h:eth0:dhcp", "ip=on", "zip=1"]
    {
        assert!(!is_address_of_kernel(free), "{free}");
    }
}

#[test]
fn keys_of_yaml_are_found_in_every_style() {
    let sets = |text: &str| sets(&uncommented(text), "addresses");
    for given in [
        "      addresses: [10.0.0.5/24]\n",
        "{network: {ethernets: {ens3: {addresses: [10.0.0.5/24]}}}}",
        "{\"network\": {\"ethernets\": {\"ens3\": {\"addresses\" : [\"10.0.0.5/24\"]}}}}",
        "x: {addresses\n  : [10.0.0.5/24]}",
        "? addresses\n: [10.0.0.5/24]",
        "x: {y: \"a #\", addresses: [1]}",
    ] {
        assert!(sets(given), "{given}");
    }
    for other in
        ["# addresses: [1]", "dhcp4: true # addresses: [1]", "my-addresses: 1", "link-local: [addresses]"]
    {
        assert!(!sets(other), "{other}");
    }
}

#[test]
fn addresses_of_name_servers_are_none_of_the_machine() {
    const FREE: &str = "network:\n  version: 2\n  ethernets:\n    ens3:\n      dhcp4: true\n      nameservers:\n        \
                        addresses: [192.0.2.53]\n        search: [example.org]\n";
    assert!(!gives_address(FREE));
    assert!(!gives_address("network: {ethernets: {ens3: {dhcp4: true, addresses: []}}}"));
    for fixed in [
        &FREE.replace("dhcp4: true", "addresses: [192.0.2.5/24]"),
        "{network: {ethernets: {ens3: {addresses: [192.0.2.5/24]}}}}",
        "? network\n: bridges: {br0: {addresses: [{192.0.2.5/24: {label: x}}]}}",
        "network: {ethernets: {nameservers: {match: {name: x}, addresses: [192.0.2.5/24]}}}",
        // What is no YAML here may be some to others.
        "network: {ethernets: {ens3: {addresses: [192.0.2.5/24]}}}\n\tx",
        "network: {ethernets: {ens3: {addresses: [192.0.2.5/24], addresses: []}}}",
    ] {
        assert!(gives_address(fixed), "{fixed}");
    }
}
