//! H: what package managers of languages and compilers leave, damaged or made to be endless.

use super::Case;
use super::Expect::{self, Accepted, Blocks, Told};
use super::bytes::noise;
use super::image::Image;

fn image(name: impl Into<String>, path: &str, content: impl AsRef<[u8]>, expect: Expect) -> Case {
    Case::image('H', name, Image::of_file(path, content.as_ref()), expect)
}

pub(super) fn cases() -> Vec<Case> {
    let mut out = damaged();
    out.extend(made_to_be_endless());
    out.extend(programs());
    out
}

/// Every record that is JSON or has a grammar, with what is none of it.
fn damaged() -> Vec<Case> {
    let json = [
        ("app/package.json", "package.json"),
        ("app/package-lock.json", "package-lock.json"),
        ("app/node_modules/.package-lock.json", ".package-lock.json"),
        ("app/x.deps.json", "deps.json"),
        ("app/vendor/composer/installed.json", "installed.json"),
        ("app/composer.lock", "composer.lock"),
        ("app/bom.json", "bom.json"),
    ];
    let mut out = Vec::new();
    for (path, name) in json {
        for (what, content) in [
            ("nonsense", b"nonsense".to_vec()),
            ("nothing", Vec::new()),
            ("noise", noise(2000, 31)),
            ("cut", b"{\"packages\":{\"node_modules/a\":{\"version\":".to_vec()),
            ("lists 100,000 deep", b"[".repeat(100_000)),
            ("objects 100,000 deep", b"{\"dependencies\":{\"a\":".repeat(50_000)),
        ] {
            // What lists all that is installed must not be lost by an error in it.
            let lists_all = ["deps.json", "installed.json"].contains(&name);
            let expected = if lists_all { Blocks("PKG-05") } else { Told("PKG-07") };
            out.push(image(format!("{name}: {what}"), path, content, expected));
        }
    }
    for (path, content, what) in [
        ("p/a-1.dist-info/METADATA", &b"\xff\xfe\0nothing"[..], "METADATA: no header"),
        ("META-INF/maven/a/b/pom.properties", b"#nothing\n", "pom.properties: no coordinates"),
        ("app/META-INF/MANIFEST.MF", b" begins with a continuation\n", "MANIFEST.MF: a continuation first"),
        ("app/META-INF/MANIFEST.MF", b"no colon\n", "MANIFEST.MF: no colon"),
    ] {
        out.push(image(what, path, content, Told("PKG-07")));
    }
    out
}

fn made_to_be_endless() -> Vec<Case> {
    let names = |count: usize| {
        let each = (0..count).map(|at| format!("\"node_modules/p{at}\":{{\"version\":\"1\"}}"));
        format!("{{\"lockfileVersion\":3,\"packages\":{{{}}}}}", each.collect::<Vec<_>>().join(","))
    };
    let nested = (0..60).fold("{}".to_owned(), |inner, at| {
        format!("{{\"p{at}\":{{\"version\":\"1\",\"dependencies\":{inner}}}}}")
    });
    let old = format!("{{\"lockfileVersion\":1,\"dependencies\":{nested}}}");
    let entities = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">{}]><project><licenses><license><name>&j;</name></license></licenses></project>",
        ('b'..='j')
            .zip('a'..='i')
            .map(|(name, of)| format!("<!ENTITY {name} \"{}\">", format!("&{of};").repeat(10)))
            .collect::<String>()
    );
    let external = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><project><licenses><license><name>&e;</name></license></licenses></project>";
    let continued = format!("Manifest-Version: 1.0\n{}\n", " x\n".repeat(200_000));
    let sections = format!("Manifest-Version: 1.0\n\n{}", "Name: a\nSHA-256-Digest: b\n\n".repeat(100_000));
    let attributes = (0..100_000).map(|at| format!("X{at}: y\n")).collect::<String>();
    let long = format!("{{\"name\":\"{}\",\"version\":\"1\"}}", "n".repeat(100_000));
    let licences =
        format!("{{\"name\":\"a\",\"version\":\"1\",\"license\":[{}]}}", vec!["\"MIT\""; 100_000].join(","));
    let alias = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\npackages: *d\n";
    let bom = |count: usize| {
        let each = (0..count).map(|at| {
            format!(
                "{{\"type\":\"library\",\"name\":\"c{at}\",\"version\":\"1\",\"purl\":\"pkg:npm/c{at}@1\"}}"
            )
        });
        format!(
            "{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":[{}]}}",
            each.collect::<Vec<_>>().join(",")
        )
    };
    let components = (0..100).fold("[]".to_owned(), |inner, at| {
        format!("[{{\"name\":\"c{at}\",\"version\":\"1\",\"components\":{inner}}}]")
    });
    let tree = format!("{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":{components}}}");
    vec![
        image("npm: 50,000 packages", "app/package-lock.json", names(50_000), Told("INC-18")),
        image("npm: more packages than are read", "app/package-lock.json", names(300_000), Told("PKG-07")),
        image("npm: dependencies 60 deep", "app/package-lock.json", old, Told("PKG-07|PKG-04")),
        image("npm: a name of 100,000 letters", "app/package.json", long, Told("PKG-07")),
        image("npm: 100,000 licences", "app/package.json", licences, Told("INC-18")),
        image("pom: entities of entities", "META-INF/maven/a/b/pom.xml", entities, Accepted),
        image("pom: an entity from a file", "META-INF/maven/a/b/pom.xml", external, Accepted),
        image(
            "pom: 100,000 licences that do not end",
            "META-INF/maven/a/b/pom.xml",
            "<licenses><name>".repeat(100_000),
            Accepted,
        ),
        image(
            "pom: 100,000 licences",
            "META-INF/maven/a/b/pom.xml",
            format!("<licenses>{}</licenses>", "<name>x</name>".repeat(100_000)),
            Accepted,
        ),
        image("jar: 200,000 continuations", "app/META-INF/MANIFEST.MF", continued, Accepted),
        image("jar: 100,000 sections", "app/META-INF/MANIFEST.MF", sections, Accepted),
        image("jar: 100,000 attributes", "app/META-INF/MANIFEST.MF", attributes, Accepted),
        image("pnpm: aliases of aliases", "app/pnpm-lock.yaml", alias, Told("PKG-07|PKG-04")),
        image(
            "pnpm: 100,000 blanks deep",
            "app/pnpm-lock.yaml",
            format!("packages:\n{}x:", " ".repeat(100_000)),
            Told("PKG-07|PKG-04"),
        ),
        image(
            "yarn: 100,000 heads without a version",
            "app/yarn.lock",
            "\"a@^1\":\n".repeat(100_000),
            Told("PKG-07|PKG-04"),
        ),
        image(
            "bundler: 100,000 lines of nothing",
            "app/Gemfile.lock",
            "GEM\n".repeat(100_000),
            Told("PKG-07|PKG-04"),
        ),
        image("CycloneDX: 20,000 components", "app/bom.json", bom(20_000), Told("INC-18")),
        image("CycloneDX: components 100 deep", "app/bom.json", tree, Told("PKG-07|PKG-04")),
        image(
            "gemspec: an expression without end",
            "gems/specifications/a-1.gemspec",
            "s.name = \"".repeat(50_000),
            Told("PKG-07|PKG-04"),
        ),
    ]
}

/// Programs whose headers lie; nothing is run, and nothing of it may stop the scan.
fn programs() -> Vec<Case> {
    let elf = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = vec![0; 2048];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (bytes[16], bytes[18], bytes[20], bytes[52], bytes[54], bytes[58]) = (2, 62, 1, 64, 56, 64);
        change(&mut bytes);
        bytes
    };
    let mark = b"\xff Go buildinf:\x08\x02";
    let mut out = Vec::new();
    for (name, bytes) in [
        ("section headers behind the end", elf(&|elf| elf[40..48].fill(0xff))),
        (
            "65,535 section headers",
            elf(&|elf| {
                elf[40] = 64;
                elf[60..62].fill(0xff);
            }),
        ),
        (
            "section headers of no bytes",
            elf(&|elf| {
                elf[40] = 64;
                elf[60] = 9;
                elf[58] = 0;
            }),
        ),
        (
            "program headers behind the end",
            elf(&|elf| {
                elf[32..40].fill(0xff);
                elf[56] = 9;
            }),
        ),
        (
            "names in a section that is not there",
            elf(&|elf| {
                elf[40] = 64;
                elf[60] = 3;
                elf[62] = 200;
            }),
        ),
        ("build information of Go, cut", elf(&|elf| elf[512..528].copy_from_slice(mark))),
        (
            "build information of Go of 2^63 bytes",
            elf(&|elf| {
                elf[512..528].copy_from_slice(mark);
                elf[544..554].fill(0xff);
            }),
        ),
        ("only a magic", b"\x7fELF".to_vec()),
        ("a PE whose header is behind the end", [b"MZ".to_vec(), vec![0xff; 200]].concat()),
        ("a Mach-O of 2^32 commands", [b"\xcf\xfa\xed\xfe".to_vec(), vec![0xff; 200]].concat()),
        (
            "a fat Mach-O in itself",
            b"\xca\xfe\xba\xbe\0\0\0\x01\x01\0\0\x07\0\0\0\x03\0\0\0\0\0\0\x10\0".to_vec(),
        ),
    ] {
        out.push(image(format!("program: {name}"), "usr/bin/x", bytes, Told("PKG-04|PKG-07")));
    }
    out
}
