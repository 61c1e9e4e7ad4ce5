//! Keys in DER as they are not: their structure, around bytes of nobody.

use super::kinds;

const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const CERTIFICATE_BAG: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03";
const SEALED_KEY_BAG: &[u8] = b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02";
const DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01";
const SEALED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06";
const PBES2: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
const PKCS12_3DES: &[u8] = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03";
const JKS: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x2a\x02\x11\x01\x01\x05\x00";
const JCEKS: &[u8] = b"\x06\x09\x2b\x06\x01\x04\x01\x2a\x02\x13\x01";

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 2;
const OCTETS: u8 = 4;

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 151 + at / 7 * 31 + 17) as u8).collect()
}

fn item(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        short @ 0..=0x7f => vec![short as u8],
        middle @ 0x80..=0xff => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [vec![tag], length, content].concat()
}

fn version(number: u8) -> Vec<u8> {
    item(INTEGER, &[&[number]])
}

/// A number of so many bits, with the zero that keeps it from being negative.
fn number(bits: usize) -> Vec<u8> {
    item(INTEGER, &[&[0], &[0xc5], &noise(bits / 8 - 1)])
}

fn sealed(algorithm: &[u8]) -> Vec<u8> {
    let algorithm = item(SEQUENCE, &[algorithm, &item(SEQUENCE, &[&item(OCTETS, &[&noise(8)])])]);
    item(SEQUENCE, &[&algorithm, &item(OCTETS, &[&noise(1232)])])
}

/// A file of PKCS #12: its version, and bags or what seals them.
fn pfx(content: &[u8]) -> Vec<u8> {
    let safes = item(OCTETS, &[&item(SEQUENCE, &[content])]);
    item(SEQUENCE, &[&version(3), &item(SEQUENCE, &[DATA, &item(0xa0, &[&safes])])])
}

fn is_found(key: &[u8]) {
    assert_eq!(kinds([b"x", key, b"y"].concat()), ["private key"], "{key:02x?}");
}

fn is_silent(other: &[u8]) {
    assert_eq!(kinds([b"x", other, b"y"].concat()), [""; 0], "{other:02x?}");
}

#[test]
fn keys_of_pkcs_8_are_found_in_every_algorithm() {
    let name = |name: &[u8]| item(SEQUENCE, &[name]);
    let edwards = name(b"\x06\x03\x2b\x65\x70");
    let edwards_key = item(OCTETS, &[&item(OCTETS, &[&noise(32)])]);
    let dsa = item(SEQUENCE, &[b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01", &item(SEQUENCE, &[&number(1024)])]);
    let lattice = name(b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12");
    let public = item(0x81, &[&[0], &noise(32)]);
    is_found(&item(SEQUENCE, &[&version(0), &name(RSA), &item(OCTETS, &[&noise(1191)])]));
    is_found(&item(SEQUENCE, &[&version(0), &edwards, &edwards_key]));
    is_found(&item(SEQUENCE, &[&version(1), &edwards, &edwards_key, &public]));
    is_found(&item(SEQUENCE, &[&version(0), &dsa, &item(OCTETS, &[&item(INTEGER, &[&noise(20)])])]));
    is_found(&item(SEQUENCE, &[&version(0), &lattice, &item(OCTETS, &[&noise(4032)])]));
    // A length that is told by an end, and one with a zero in front.
    let body = [version(0), name(RSA), item(OCTETS, &[&noise(1191)])].concat();
    is_found(&[&[SEQUENCE, 0x80], &body[..], &[0, 0]].concat());
    is_found(&[&[SEQUENCE, 0x83, 0, (body.len() >> 8) as u8, body.len() as u8], &body[..]].concat());

    // A public key, a request for a certificate, zeros in the place of a key, and a length that fits nothing.
    is_silent(&item(SEQUENCE, &[&name(RSA), &item(3, &[&noise(270)])]));
    is_silent(&item(SEQUENCE, &[&version(0), &item(SEQUENCE, &[&item(0x31, &[&noise(60)])]), &name(RSA)]));
    is_silent(&item(SEQUENCE, &[&version(0), &name(RSA), &item(OCTETS, &[&[0; 1191]])]));
    is_silent(&[&[0x31, 0x2e], &version(0)[..], &edwards, &edwards_key].concat());
}

#[test]
fn keys_in_the_formats_before_pkcs_8_are_found() {
    // Those of RSA alone are left: the self-tests of the kernel and of OpenSSL carry published ones.
    let exponent = item(INTEGER, &[&[1, 0, 1]]);
    is_silent(&item(SEQUENCE, &[&version(0), &number(2048), &exponent, &number(2048), &number(1024)]));
    is_silent(&item(SEQUENCE, &[&number(2048), &exponent]));
    let (curve, public) = (item(0xa0, &[P256]), item(0xa1, &[&item(3, &[&noise(66)])]));
    for bytes in [28, 32, 48, 66] {
        let key = item(OCTETS, &[&noise(bytes)]);
        is_found(&item(SEQUENCE, &[&version(1), &key, &curve, &public]));
        is_found(&item(SEQUENCE, &[&version(1), &key, &curve]));
        is_found(&item(SEQUENCE, &[&version(1), &key, &public]));
        is_found(&item(SEQUENCE, &[&version(1), &key]));
    }
    // A message of SNMP with a long name of its community.
    let community = item(OCTETS, &[b"monitoring-of-all-networks-2024"]);
    is_silent(&item(SEQUENCE, &[&version(1), &community, &item(0xa0, &[&version(7), &noise(20)])]));
}

#[test]
fn keys_that_a_password_seals_are_found_in_files_and_in_stores() {
    for algorithm in [PBES2, PKCS12_3DES, JKS, JCEKS] {
        is_found(&sealed(algorithm));
    }
    let certificates = item(SEQUENCE, &[SEALED_DATA, &noise(700)]);
    let bag = item(SEQUENCE, &[SEALED_KEY_BAG, &item(0xa0, &[&sealed(PBES2)])]);
    is_found(&pfx(&[certificates, bag].concat()));
}

#[test]
fn stores_that_hold_only_certificates_are_left_alone() {
    for algorithm in [PBES2, PKCS12_3DES] {
        let algorithm = item(SEQUENCE, &[algorithm, &item(SEQUENCE, &[&item(OCTETS, &[&noise(8)])])]);
        let content = item(SEQUENCE, &[DATA, &algorithm, &item(0x80, &[&noise(1232)])]);
        let sealed =
            item(SEQUENCE, &[SEALED_DATA, &item(0xa0, &[&item(SEQUENCE, &[&version(0), &content])])]);
        is_silent(&pfx(&sealed));
    }
    is_silent(&pfx(&item(SEQUENCE, &[CERTIFICATE_BAG, &item(0xa0, &[&noise(900)])])));
    // Libraries have the names of all bags and algorithms in a row.
    is_silent(&[CERTIFICATE_BAG, SEALED_KEY_BAG, PBES2, PKCS12_3DES, JKS, &noise(200)].concat());
    is_silent(&[b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\x01c", &noise(900)[..]].concat());
}

#[test]
fn keys_in_base64_without_lines_around_are_found() {
    use base64::Engine as _;
    let name = |name: &[u8]| item(SEQUENCE, &[name]);
    let pkcs8 = |bytes: usize| item(SEQUENCE, &[&version(0), &name(RSA), &item(OCTETS, &[&noise(bytes)])]);
    let pkcs1 = |bits: usize| item(SEQUENCE, &[&version(0), &number(bits), &noise(3 * bits / 8)]);
    let wrapped = |algorithm: &[u8], bytes: usize| {
        item(SEQUENCE, &[&version(0), &name(algorithm), &item(OCTETS, &[&noise(bytes)])])
    };
    let p384 = [b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01".as_slice(), b"\x06\x05\x2b\x81\x04\x00\x22"].concat();
    let edwards_key = item(OCTETS, &[&noise(32)]);
    let edwards =
        item(SEQUENCE, &[&version(0), &name(b"\x06\x03\x2b\x65\x70"), &item(OCTETS, &[&edwards_key])]);
    // A curve's key of 119 bytes, with its name and public half.
    let named = item(0xa0, &[P256]);
    let public = item(0xa1, &[&item(3, &[&[0], &noise(65)])]);
    let sec1 = item(SEQUENCE, &[&version(1), &item(OCTETS, &[&noise(32)]), &named, &public]);
    assert_eq!(sec1.len(), 121);
    let encode = |key: &[u8]| base64::engine::general_purpose::STANDARD.encode(key);
    for key in
        [pkcs8(608), pkcs8(1191), pkcs1(2048), pkcs1(4096), pkcs1(1024), wrapped(&p384, 158), edwards, sec1]
    {
        let text = encode(&key);
        for line in [
            format!("\"k\":\"\\n{text}\""),
            format!("alipay.private_key={text}\n"),
            format!("key: \"{text}\""),
            text.clone(),
        ] {
            assert_eq!(kinds(&line), ["private key"], "{line}");
        }
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("text")).collect();
        assert_eq!(kinds(lines.join("\n")), ["private key"], "in lines");
        // Less than it says, in the middle of something, and with lines around it is one key.
        assert_eq!(kinds(&text[..text.len() - 8]), [""; 0]);
        assert_eq!(kinds(format!("AAAA{text}")), [""; 0]);
        let headed = ["-----BEGIN ", "PRIVATE KEY-----\n", &text, "\n-----END ", "PRIVATE KEY-----\n"];
        assert_eq!(kinds(headed.concat()), ["private key"]);
        assert_eq!(kinds(headed.concat().replace('\n', "\n/// ")), [""; 0], "in a comment");
    }
    // A public key.
    let public = item(SEQUENCE, &[&name(RSA), &item(3, &[&[0], &pkcs1(2048)])]);
    assert_eq!(kinds(encode(&public)), [""; 0]);
}

#[test]
fn numbers_of_a_key_are_one_in_a_file_of_their_own() {
    let numbers = |count: usize| vec![number(1024); count].concat();
    let rsa = item(SEQUENCE, &[&version(0), &number(2048), &item(INTEGER, &[&[1, 0, 1]]), &numbers(6)]);
    let dsa =
        item(SEQUENCE, &[&version(0), &number(2048), &number(256), &number(2048), &numbers(1), &number(256)]);
    for key in [&rsa, &dsa] {
        assert_eq!(kinds(key.clone()), ["private key"]);
        is_silent(key);
    }
    let public = item(SEQUENCE, &[&version(0), &number(2048), &item(INTEGER, &[&[1, 0, 1]])]);
    assert_eq!(kinds(public), [""; 0]);
}

#[test]
fn keys_of_gnupg_dotnet_sigstore_and_openvpn_are_told() {
    let hex = "#00C5A3910FE2D07B6481".repeat(4);
    for key in [
        format!("Key: (private-key (rsa (n {hex}#)\n (d {hex}#)))\n"),
        format!("Created: 20260101T000000\nKey: (protected-private-key (rsa (n {hex}#)))\n"),
        format!("(21:protected-private-key(3:rsa(1:n257:{hex}"),
        format!("<RSAKeyValue><Modulus>AQAB</Modulus><D>{}=</D></RSAKeyValue>", "Ab3x9KqP7mZt".repeat(14)),
        format!(
            "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n{}\n",
            "eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJO".repeat(3)
        ),
    ] {
        assert_eq!(kinds(key.clone().into_bytes()), ["private key"], "{key}");
    }
    let key = "-----BEGIN OpenVPN Static key V1-----\n5a1fc0d9b2874e63a9d01f7c8be2463d\n";
    assert_eq!(kinds(key.as_bytes()), ["OpenVPN static key"]);
    for other in [
        "it prints (private-key (rsa (n %m) (e %m) (d %m))) as an expression of some length and more of it",
        "<RSAKeyValue><Modulus>xA</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>",
    ] {
        assert_eq!(kinds(other.as_bytes()), [""; 0], "{other}");
    }
}

#[test]
fn keys_of_windows_tor_minisign_and_signify_are_told() {
    let blob = |kind: u8, use_of: u8| {
        let head = [kind, 2, 0, 0, 0, use_of, 0, 0];
        [&head[..], b"RSA2\x00\x08\x00\x00\x01\x00\x01\x00", &noise(2048 / 16 * 9)].concat()
    };
    is_found(&blob(7, 0xa4));
    let pvk = [&b"\x1e\xf1\xb5\xb0\0\0\0\0"[..], &blob(7, 0x24)].concat();
    is_found(&pvk);
    is_silent(&blob(6, 0x24));
    is_silent(&blob(7, 0x66));
    is_silent(&blob(7, 0xa4)[..600]);
    let onion = |name: &[u8]| [b"== ed25519v1-", name, b": type0 ==\0\0\0", &noise(64)].concat();
    is_found(&onion(b"secret"));
    is_silent(&onion(b"public"));
    is_silent(&onion(b"secret")[..60]);
    for (kind, begins, bytes) in [
        ("minisign secret key", "RWRTY0Iy", 203),
        ("minisign secret key", "RWQAAEIy", 203),
        ("signify secret key", "RWRCSwAAACo", 128),
    ] {
        use base64::Engine as _;
        let letters = base64::engine::general_purpose::STANDARD_NO_PAD.encode(noise(200));
        let key = format!("untrusted comment: a key\n{begins}{}=\n", &letters[..bytes]);
        assert_eq!(kinds(key.clone().into_bytes()), [kind], "{key}");
        assert_eq!(kinds(&key.as_bytes()[..100]), [""; 0], "{key}");
    }
}
