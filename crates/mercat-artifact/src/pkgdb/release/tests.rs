use super::*;

fn told(id: &str, version: &str, packages: &[(&str, &str)]) -> Option<String> {
    let os = OsRelease { id: id.to_owned(), version_id: version.to_owned(), pretty_name: String::new() };
    let package = |(name, version): &(&str, &str)| Package {
        name: (*name).to_owned(),
        version: (*version).to_owned(),
        architecture: String::new(),
        source: String::new(),
        source_version: String::new(),
        module: String::new(),
    };
    contradiction(&os, &packages.iter().map(package).collect::<Vec<_>>())
}

#[test]
fn a_release_that_packages_are_of_is_no_contradiction() {
    for (id, version, packages) in [
        (
            "debian",
            "12",
            &[("base-files", "12.4+deb12u5"), ("libssl3", "3.0.11-1~deb12u1"), ("x", "1+deb11u3")][..],
        ),
        ("debian", "13", &[("base-files", "13.8")]),
        ("debian", "", &[("base-files", "14")]),
        ("raspbian", "12", &[("base-files", "12.4+rpi1+deb12u5")]),
        ("ubuntu", "22.04", &[("base-files", "12ubuntu4.6"), ("libssl3", "3.0.2-0ubuntu1.15")]),
        ("ubuntu", "24.04", &[("base-files", "13ubuntu10.1")]),
        ("ubuntu", "25.04", &[("base-files", "13.6ubuntu2")]),
        ("alpine", "3.20.3", &[("alpine-release", "3.20.3-r0"), ("busybox", "1.36.1-r29")]),
        ("alpine", "3.20.3", &[("busybox", "1.36.1-r29")]),
        ("rocky", "9.3", &[("rocky-release", "9.3-1.3.el9")]),
        ("fedora", "40", &[("fedora-release-common", "40-40")]),
        ("amzn", "2023", &[("system-release", "2023.5.20240701-1.amzn2023")]),
        ("sles", "15.5", &[("sles-release", "15.5-150500.43.4")]),
        ("sles", "15", &[("sles-release", "15-115.1")]),
        ("ol", "8.10", &[("redhat-release", "8.10-0.3.0.1.el8"), ("oraclelinux-release", "8.10-1.0.8.el8")]),
        ("centos", "9", &[("centos-stream-release", "1:9.0-26.el9")]),
        (
            "debian",
            "11",
            &[("base-files", "11.1+deb11u9"), ("x", "1.2-3+deb12u1~bpo11+1"), ("y", "1+deb12u1")],
        ),
        ("debian", "11", &[("x", "1.2-3+deb12u1~bpo11+1")]),
        ("kali", "2024.1", &[("base-files", "2024.1.0"), ("x", "1+deb12u3")]),
        // A name of its own, on what another one made.
        ("bottlerocket", "1", &[("rocky-release", "9.3-1.3.el9")]),
    ] {
        assert_eq!(told(id, version, packages), None, "{id} {version}");
    }
}

#[test]
fn a_release_that_packages_are_not_of_is_told() {
    for (id, version, packages, expected) in [
        (
            "debian",
            "11",
            &[("base-files", "12.4+deb12u5")][..],
            "os-release says debian 11, base-files 12.4+deb12u5 is of debian 12",
        ),
        (
            "debian",
            "11",
            &[("libssl3", "3.0.11-1~deb12u1")],
            "os-release says debian 11, libssl3 3.0.11-1~deb12u1 is of debian 12",
        ),
        (
            "debian",
            "12",
            &[("base-files", "12ubuntu4.6")],
            "os-release says debian 12, base-files 12ubuntu4.6 is of ubuntu",
        ),
        (
            "ubuntu",
            "22.04",
            &[("base-files", "12.4+deb12u5")],
            "os-release says ubuntu 22.04, base-files 12.4+deb12u5 is of debian",
        ),
        (
            "ubuntu",
            "22.04",
            &[("base-files", "11ubuntu5.8")],
            "os-release says ubuntu 22.04, base-files 11ubuntu5.8 is of ubuntu 20.04",
        ),
        (
            "ubuntu",
            "24.04",
            &[("base-files", "13ubuntu3")],
            "os-release says ubuntu 24.04, base-files 13ubuntu3 is of another release",
        ),
        (
            "alpine",
            "3.10.1",
            &[("alpine-release", "3.20.3-r0")],
            "os-release says alpine 3.10.1, alpine-release 3.20.3-r0 is of alpine 3.20",
        ),
        (
            "debian",
            "12",
            &[("alpine-release", "3.20.3-r0")],
            "os-release says debian 12, alpine-release 3.20.3-r0 is of alpine",
        ),
        (
            "opensuse-tumbleweed",
            "20260101",
            &[("rocky-release", "9.3-1.3.el9")],
            "os-release says opensuse-tumbleweed 20260101, rocky-release 9.3-1.3.el9 is of rocky",
        ),
        (
            "ubuntu",
            "25.04",
            &[("base-files", "12ubuntu4.6")],
            "os-release says ubuntu 25.04, base-files 12ubuntu4.6 is of ubuntu 22.04",
        ),
        (
            "sles",
            "15.3",
            &[("sles-release", "15.5-150500.43.4")],
            "os-release says sles 15.3, sles-release 15.5-150500.43.4 is of sles 15.5",
        ),
        (
            "rocky",
            "8.9",
            &[("rocky-release", "9.3-1.3.el9")],
            "os-release says rocky 8.9, rocky-release 9.3-1.3.el9 is of rocky 9",
        ),
        (
            "almalinux",
            "9.3",
            &[("rocky-release", "9.3-1.3.el9")],
            "os-release says almalinux 9.3, rocky-release 9.3-1.3.el9 is of rocky",
        ),
    ] {
        assert_eq!(told(id, version, packages).as_deref(), Some(expected), "{id} {version}");
    }
}
