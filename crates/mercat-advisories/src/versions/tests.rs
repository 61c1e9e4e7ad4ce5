use super::*;

fn rising(scheme: Scheme, list: &[&str]) {
    for (at, a) in list.iter().enumerate() {
        for (behind, b) in list.iter().enumerate() {
            assert_eq!(scheme.compare(a, b), Ok(at.cmp(&behind)), "{a} and {b} by {scheme:?}");
        }
    }
}

#[test]
fn versions_order_as_their_ecosystems_order_them() {
    rising(Scheme::Debian, &["1.0~rc1-1", "1.0-1", "1.0-1+deb12u1", "1.0-2", "1.0.1-1", "1:0.1-1"]);
    rising(
        Scheme::Rpm,
        &["1.0~rc1-1", "1.0-1.el9", "1.0^git1-1", "1.0.1-1", "1.10-1", "1.10-2", "1.10a-1", "2-1", "1:0.1-1"],
    );
    rising(
        Scheme::Alpine,
        &["1.2_alpha1", "1.2_rc1", "1.2", "1.2-r0", "1.2-r1", "1.2_git5", "1.2_p1", "1.2a", "1.2.1", "1.10"],
    );
    rising(Scheme::Pep440, &["1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0+deb1", "1.0.post1", "1!0.1"]);
    rising(
        Scheme::SemVer,
        &["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0", "1.0.1"],
    );
    rising(Scheme::Go, &["v0.0.0-20200101000000-abcdefabcdef", "0.1", "v1.2", "1.2.1-rc.1", "1.2.1"]);
    rising(Scheme::Maven, &["1-alpha-1", "1-rc", "1-SNAPSHOT", "1", "1-sp", "1-jre", "1-1", "1.1"]);
    rising(Scheme::RubyGems, &["1.0.a", "1.0.b1", "1.0.rc", "1.0", "1.0.1"]);
    rising(Scheme::NuGet, &["1.0.0-Alpha", "1.0.0-beta.2", "1.0.0-beta.10", "1.0", "1.0.0.1", "1.0.1"]);
    rising(Scheme::R, &["0.9-10", "1.0", "1.0.1", "1.0-9", "1.0.10", "1.1"]);
    rising(Scheme::Packagist, &["1.0-dev", "v1.0-alpha1", "1.0.0beta2", "1.0-RC1", "1.0", "1.0-p1", "1.0.1"]);
}

#[test]
fn a_bound_of_rpm_without_a_release_is_about_every_release() {
    assert_eq!(rpm("1.0-1", "1.0"), Ordering::Equal);
    assert_eq!(rpm("1.00-1", "1.0-01"), Ordering::Equal);
    assert_eq!(rpm("1.a-1", "1.1-1"), Ordering::Less);
}

#[test]
fn what_is_no_version_cannot_be_compared() {
    for (scheme, text) in [
        (Scheme::Debian, "unknown"),
        (Scheme::Debian, ""),
        (Scheme::Alpine, "1.0bc"),
        (Scheme::Alpine, "1.0_foo"),
        (Scheme::Rpm, "a:1"),
        (Scheme::Rpm, ""),
        (Scheme::Pep440, "2004-whatever"),
        (Scheme::SemVer, "1.2"),
        (Scheme::Go, "(devel)"),
        (Scheme::Maven, ""),
        (Scheme::Maven, "1 2"),
        (Scheme::RubyGems, "one"),
        (Scheme::NuGet, "1.2.3.4.5"),
        (Scheme::Packagist, "dev-main"),
        (Scheme::Packagist, "1.x-dev"),
        (Scheme::R, "1.0-rc1"),
        (Scheme::R, "1..0"),
    ] {
        assert!(matches!(scheme.check(text), Err(CannotCompare::Malformed { .. })), "{text:?} by {scheme:?}");
    }
    let long = "1.".repeat(VERSION_BYTES_MAX);
    assert_eq!(Scheme::Maven.check(&long), Err(CannotCompare::TooLong { bytes: 2 * VERSION_BYTES_MAX }));
    assert_eq!(Scheme::of("Hackage"), None);
}

#[test]
fn a_text_of_a_million_tildes_does_not_exhaust_the_stack() {
    let text = "~".repeat(1_000_000);
    assert_eq!(rpm_part(&text, &text), Ordering::Equal);
    assert_eq!(rpm_part(&text.replace('~', "^"), &text), Ordering::Greater);
}

/// Pairs whose order apk-tools states in its own tests.
const APK: &str = "2.34 > 0.1.0_alpha|1.1 > 1.1_alpha1|1.3_alpha < 1.3_alpha2|2.3.0b-r1 < 2.3.0b-r2|1.06-r6 < 006\
|2.01.01_alpha10 > 0.94|1.39 > 1.00_beta2|2.5.1-r8 < 2.5.1a-r1|2.6.1.3-r1 > 2.6.1.3|0.9.28 < 0.9.28.1\
|1.6.8_p12-r1 > 1.6.8_p9-r2|1.02.07 < 1.02.10-r1|4.2.52_p2-r1 < 4.2.52_p4-r2|20040406-r1 > 2.12r-r4\
|3.9_pre20060124 > 0.01|0.59s-r11 < 0.65|1.07-r1 < 1.07.5|1.8.5 < 1.8.5_p2|021109-r3 < 20060512\
|1.3-r0 < 1.3.1-r0|1.3_pre1-r1 < 1.3.2|1.0_p10-r0 > 1.0_p9-r0|0.1.0_alpha_pre2 < 0.1.0_alpha\
|1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0|2.9.11_pre20061021-r2 < 5.36-r1|6b-r7 > 1.12-r7";

#[test]
fn apk_versions_order_as_apk_tools_states_in_its_tests() {
    for line in APK.split('|') {
        let words: Vec<&str> = line.split(' ').collect();
        let want = if words[1] == "<" { Ordering::Less } else { Ordering::Greater };
        assert_eq!(Scheme::Alpine.compare(words[0], words[2]), Ok(want), "{line}");
    }
}
