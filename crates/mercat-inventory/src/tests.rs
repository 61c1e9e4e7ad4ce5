use super::*;
use proptest::prelude::*;

fn told(path: &str, text: &[u8]) -> Vec<String> {
    let reader = reader_of(path, text).unwrap_or_else(|| panic!("{path} is wanted"));
    let found = read(reader, path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    found
        .iter()
        .map(|c| format!("{} {} {}", c.evidence.name(), c.purl(), c.licence).trim_end().to_owned())
        .collect()
}

#[test]
fn python_metadata_names_a_distribution_and_its_licence() {
    let text =
        b"Metadata-Version: 2.1\nName: Zope_Interface\nVersion: 5.4.0+b1\nLicense: ZPL 2.1\n\nName: decoy\n";
    let path = "usr/lib/python3/dist-packages/zope.interface-5.4.0.dist-info/METADATA";
    assert_eq!(told(path, text), ["installed pkg:pypi/zope-interface@5.4.0%2Bb1 ZPL 2.1"]);
    let text =
        b"Name: six\nVersion: 1.16.0\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n";
    assert_eq!(told("p/six-1.16.egg-info", text), ["installed pkg:pypi/six@1.16.0 MIT License"]);
    assert!(read(Reader::PythonMetadata, "x", b"Version: 1\n").is_err());
    assert_eq!(reader_of("usr/share/doc/METADATA", b"Name: a"), None);
}

#[test]
fn node_modules_have_scopes_and_licences_in_every_form() {
    let text =
        br#"{"name":"@Babel/core","version":"7.1.0","licenses":[{"type":"MIT"},{"type":"ISC"}],"bin":{}}"#;
    assert_eq!(
        told("a/node_modules/@babel/core/package.json", text),
        ["installed pkg:npm/%40babel/core@7.1.0 MIT OR ISC"]
    );
    assert_eq!(told("a/package.json", br#"{"type":"module"}"#), [""; 0]);
    assert!(read(Reader::NodePackage, "p", b"{\"name\":\"a\",\"name\":\"b\"}").is_err(), "two names");
    for text in [&br#"{"main":"index.js"}"#[..], br#"{"name":"lodash","version":""}"#] {
        assert_eq!(told("a/node_modules/lodash/package.json", text), ["installed pkg:npm/lodash"]);
    }
    assert_eq!(told("a/node_modules/lodash/esm/package.json", br#"{"type":"module"}"#), [""; 0]);
}

#[test]
fn records_beside_what_they_are_about_are_told_from_others() {
    for (path, record, directory) in [
        ("app/node_modules/lodash/package.json", "", "app/node_modules/lodash"),
        (
            "lib/site-packages/six-1.dist-info/METADATA",
            "lib/site-packages/six-1.dist-info",
            "lib/site-packages",
        ),
        ("lib/dist-packages/six-1.egg-info", "", "lib/dist-packages"),
        ("srv/vendor/composer/installed.json", "", "srv/vendor"),
        ("app/shop.deps.json", "", "app"),
        ("shop.deps.json", "", ""),
        ("srv/META-INF/maven/g/a/pom.properties", "", "srv/META-INF/maven/g/a"),
    ] {
        let found = record_beside(path).expect(path);
        assert_eq!(found.directory, directory);
        assert_eq!(found.record, if record.is_empty() { path } else { record });
    }
    for path in ["app/package.json", "app/package-lock.json", "opt/a.jar", "app/Gemfile.lock", "bin/tool"] {
        assert_eq!(record_beside(path), None, "{path}");
    }
}

#[test]
fn packages_whose_records_say_nothing_are_known_by_their_place() {
    let known = |reader, path| by_place(reader, path).map(|found| found.purl());
    for (reader, path, purl) in [
        (Reader::NodePackage, "a/node_modules/@s/b/package.json", Some("pkg:npm/%40s/b")),
        (Reader::NodePackage, "a/node_modules/@s/b/c/package.json", None),
        (Reader::NodePackage, "a/package.json", None),
        (Reader::PythonMetadata, "p/PyYAML-5.1.dist-info/METADATA", Some("pkg:pypi/pyyaml@5.1")),
        (Reader::PythonMetadata, "p/six-1.16-py3.11.egg-info/PKG-INFO", Some("pkg:pypi/six@1.16")),
        (Reader::PomProperties, "a.jar!/META-INF/maven/g/a/pom.properties", Some("pkg:maven/g/a")),
        (Reader::PomProperties, "pom.properties", None),
        (Reader::NodeLock, "a/node_modules/b/package-lock.json", None),
    ] {
        assert_eq!(known(reader, path).as_deref(), purl, "{path}");
    }
}

#[test]
fn lock_files_of_node_are_intent_in_every_version() {
    let first = br#"{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"npm:c@2.0.0"}}}}}"#;
    assert_eq!(told("package-lock.json", first), ["intent pkg:npm/a@1.0.0", "intent pkg:npm/c@2.0.0"]);
    let third = br#"{"lockfileVersion":3,"packages":{"":{"name":"app"},"node_modules/a":{"version":"1.0.0","license":"MIT"},
        "node_modules/a/node_modules/@s/b":{"version":"2.0.0"},"node_modules/l":{"link":true}}}"#;
    assert_eq!(
        told("package-lock.json", third),
        ["intent pkg:npm/%40s/b@2.0.0", "intent pkg:npm/a@1.0.0 MIT"]
    );
    let yarn = b"# yarn lockfile v1\n\n\n\"@s/a@^1.0.0\", \"@s/a@^1.2.0\":\n  version \"1.2.3\"\n  dependencies:\n    b \"^2\"\n\nb@^2:\n  version \"2.1.0\"\n";
    assert_eq!(told("yarn.lock", yarn), ["intent pkg:npm/%40s/a@1.2.3", "intent pkg:npm/b@2.1.0"]);
    let berry = b"__metadata:\n  version: 6\n\n\"a@npm:^1.0.0\":\n  version: 1.0.1\n\n\"x@npm:real@^3\":\n  version: 3.0.0\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n";
    assert_eq!(told("yarn.lock", berry), ["intent pkg:npm/a@1.0.1", "intent pkg:npm/real@3.0.0"]);
    let pnpm = b"lockfileVersion: '6.0'\npackages:\n  /@s/a@1.0.0(b@2.0.0):\n    dev: false\n  /c/3.0.0_react@1:\n    dev: true\n  d@4.0.0:\n    resolution: {integrity: x}\n";
    assert_eq!(
        told("pnpm-lock.yaml", pnpm),
        ["intent pkg:npm/%40s/a@1.0.0", "intent pkg:npm/c@3.0.0", "intent pkg:npm/d@4.0.0"]
    );
    assert!(read(Reader::PnpmLock, "p", b"packages: [").is_err());
}

#[test]
fn classes_tell_whose_a_jar_without_coordinates_is() {
    let roots = |names: &[&str]| {
        let mut classes = ClassRoots::of("opt/app.jar!/BOOT-INF/lib/beans-5.3.jar").expect("a jar");
        names.iter().for_each(|name| classes.member(name));
        classes.component()
    };
    assert!(ClassRoots::of("opt/beans.zip").is_none());
    let of = |names: &[&str]| roots(names).map(|found| found.roots.join(" ")).unwrap_or_default();
    assert_eq!(
        of(&[
            "org/springframework/beans/Bean.class",
            "org/springframework/Aware.class",
            "META-INF/versions/9/com/other/X.class",
            "BOOT-INF/classes/shop/acme/app/Main.class",
            "module/Info.class",
            "module-info.class",
            "org/readme/x.txt",
            "org/springframework/boot/loader/Launcher.class",
        ]),
        "com.other module org.springframework org.springframework.beans shop.acme.app"
    );
    assert!(roots(&["x.txt", "org/springframework/boot/loader/Launcher.class"]).is_none());
    let pom = "META-INF/maven/org.g/a/pom.properties";
    assert!(roots(&["org/g/A.class", pom]).is_none(), "its coordinates say it");
    assert_eq!(roots(&["a/b/C.class"].repeat(3)).map(|found| found.roots.len()), Some(1));
    let many: Vec<String> = (0..65).map(|at| format!("a/b{at}/C.class")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(roots(&many[1..]).map(|found| found.roots.len()), Some(64));
    assert!(roots(&many).is_none(), "it is all of them, and none");

    let jar = "opt/app.jar!/BOOT-INF/lib/beans-5.3.jar";
    let mut all = read(Reader::JarName, jar, b"").expect("a name");
    all.extend(roots(&["org/springframework/beans/Bean.class"]));
    let settled = settle(all.clone());
    let told = |found: &Component| format!("{} {} {}", found.name, found.version, found.roots.join(" "));
    assert_eq!(settled.iter().map(told).collect::<Vec<_>>(), ["beans 5.3 org.springframework.beans"]);
    assert_eq!(artifacts(&settled[0]), [("beans".to_owned(), "5.3".to_owned())]);
    let manifest = b"Implementation-Title: spring beans\nImplementation-Version: 5.3.0\n";
    all.extend(read(Reader::JarManifest, &format!("{jar}!/META-INF/MANIFEST.MF"), manifest).expect("reads"));
    let settled = settle(all);
    assert_eq!(
        settled.iter().map(told).collect::<Vec<_>>(),
        ["spring beans 5.3.0 org.springframework.beans"]
    );
    let names: Vec<String> = artifacts(&settled[0]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["spring beans", "beans"]);
}

#[test]
fn properties_are_read_as_java_reads_them() {
    for text in [
        "groupId=org.g\nartifactId=a\nversion=1.0\n",
        "groupId=org.g\rartifactId=a\rversion=1.0",
        "groupId\torg.g\r\nartifactId a\r\n\r\n! x\r\nversion \x0c: 1.0 \r\n",
        "group\\\n   Id=org.\\\n\tg\nartifact\\u0049d=a\nversion=0.9\nversion=\\u0031.0\n",
        "groupId=org.g\nartifactId=a\nversion=1.0\\\n\nversions=2\n",
    ] {
        let path = "a.jar!/META-INF/maven/g/a/pom.properties";
        let found = read(Reader::PomProperties, path, text.as_bytes()).expect("reads");
        assert_eq!(found[0].purl(), "pkg:maven/org.g/a@1.0", "{text:?}");
    }
}

#[test]
fn coordinates_in_a_jar_win_over_its_manifest_and_that_over_its_name() {
    let manifest = b"Manifest-Version: 1.0\r\nBundle-SymbolicName: org.apache.comm\r\n ons.io;singleton:=true\r\nBundle-Version: 2.11.0\r\n";
    let one =
        |path: &str, bytes: &[u8]| read(reader_of(path, bytes).expect("wanted"), path, bytes).expect("reads");
    let mut all = one("opt/commons-io-2.11.0.jar", b"PK\x03\x04");
    assert_eq!(settle(all.clone())[0].purl(), "pkg:maven/commons-io@2.11.0");
    all.extend(one("opt/commons-io-2.11.0.jar!/META-INF/MANIFEST.MF", manifest));
    let settled = settle(all.clone());
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].purl(), "pkg:maven/org.apache.commons.io@2.11.0");
    for artifact in ["commons-io", "shaded"] {
        let base = format!("opt/commons-io-2.11.0.jar!/META-INF/maven/g/{artifact}");
        let text = format!("#x\ngroupId=org.g\nartifactId = {artifact}\nversion: 1.0\n");
        all.extend(one(&format!("{base}/pom.properties"), text.as_bytes()));
        all.extend(one(
            &format!("{base}/pom.xml"),
            b"<licenses><license><name>Apache-2.0</name></license></licenses>",
        ));
    }
    let settled: Vec<_> = settle(all).iter().map(|c| format!("{} {}", c.purl(), c.licence)).collect();
    assert_eq!(
        settled,
        ["pkg:maven/org.g/commons-io@1.0 Apache-2.0", "pkg:maven/org.g/shaded@1.0 Apache-2.0"]
    );
}

#[test]
fn coordinates_of_what_a_jar_was_built_from_do_not_name_it() {
    let manifest = b"Implementation-Title: log4j-core\nImplementation-Version: 2.14.0\n";
    let pom = |artifact: &str, version: &str| {
        let text = format!("groupId=com.acme\nartifactId={artifact}\nversion={version}\n");
        let path = format!("opt/log4j-core-2.14.0.jar!/META-INF/maven/com.acme/{artifact}/pom.properties");
        read(Reader::PomProperties, &path, text.as_bytes()).expect("reads")
    };
    let names = |with_manifest: bool, more: Vec<Component>| -> Vec<String> {
        let mut all = read(Reader::JarName, "opt/log4j-core-2.14.0.jar", b"").expect("a name");
        if with_manifest {
            let path = "opt/log4j-core-2.14.0.jar!/META-INF/MANIFEST.MF";
            all.extend(read(Reader::JarManifest, path, manifest).expect("reads"));
        }
        all.extend(more);
        let mut names: Vec<String> = settle(all).into_iter().map(|one| one.name).collect();
        names.sort();
        names
    };
    for with_manifest in [false, true] {
        let both = ["com.acme:x".to_owned(), "log4j-core".to_owned()];
        assert_eq!(names(with_manifest, pom("x", "1.0")), both);
        assert_eq!(names(with_manifest, pom("log4j-core", "1.0")), ["com.acme:log4j-core"]);
        assert_eq!(names(with_manifest, pom("core", "2.14.0")), ["com.acme:core"]);
        assert_eq!(names(with_manifest, pom("x", "2.14.0")), both);
    }
}

#[test]
fn gems_composer_and_dotnet_tell_what_is_installed() {
    let gemspec = b"Gem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.0.6\"\n  s.licenses = [\"MIT\".freeze]\nend\n";
    assert_eq!(
        told("var/lib/gems/specifications/rake-13.0.6.gemspec", gemspec),
        ["installed pkg:gem/rake@13.0.6 MIT"]
    );
    let lock = b"GEM\n  remote: https://x/\n  specs:\n    nokogiri (1.15.0-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.7.1)\n\nDEPENDENCIES\n  nokogiri\n";
    assert_eq!(told("Gemfile.lock", lock), ["intent pkg:gem/nokogiri@1.15.0", "intent pkg:gem/racc@1.7.1"]);
    let composer =
        br#"{"packages":[{"name":"Monolog/Monolog","version":"v3.4.0","license":["MIT"]}],"dev":true}"#;
    assert_eq!(
        told("vendor/composer/installed.json", composer),
        ["installed pkg:composer/monolog/monolog@3.4.0 MIT"]
    );
    assert_eq!(told("composer.lock", composer), ["intent pkg:composer/monolog/monolog@3.4.0 MIT"]);
    let deps =
        br#"{"libraries":{"App/1.0.0":{"type":"project"},"Newtonsoft.Json/13.0.3":{"type":"package"}}}"#;
    assert_eq!(
        told("app/App.deps.json", deps),
        ["installed pkg:nuget/App@1.0.0", "installed pkg:nuget/Newtonsoft.Json@13.0.3"]
    );
}

#[test]
fn lists_name_what_somebody_meant_to_install() {
    let cargo = b"version = 4\n[[package]]\nname = \"mine\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"time\"\nversion = \"0.1.43\"\nsource = \"registry+https://example.org/index\"\n";
    assert_eq!(told("app/Cargo.lock", cargo), ["intent pkg:cargo/time@0.1.43"]);
    let poetry = b"[[package]]\nname = \"Jinja2\"\nversion = \"3.1.2\"\nfiles = []\n\n[metadata]\npython-versions = \"^3.11\"\n";
    assert_eq!(told("app/poetry.lock", poetry), ["intent pkg:pypi/jinja2@3.1.2"]);
    let uv = b"version = 1\n[[package]]\nname = \"mine\"\nversion = \"0.1.0\"\nsource = { editable = \".\" }\n[[package]]\nname = \"idna\"\nversion = \"3.6\"\nsource = { registry = \"https://example.org/simple\" }\n";
    assert_eq!(told("app/uv.lock", uv), ["intent pkg:pypi/idna@3.6"]);
    let beside = b"[[package]]\nname = \"near\"\nversion = \"1.0\"\n[package.source]\ntype = \"directory\"\nurl = \"../near\"\n[[package]]\nname = \"idna\"\nversion = \"3.6\"\n[package.source]\ntype = \"legacy\"\nurl = \"https://example.org\"\n";
    assert_eq!(told("app/poetry.lock", beside), ["intent pkg:pypi/idna@3.6"]);
    let pdm = b"[[package]]\nname = \"near\"\nversion = \"1.0\"\npath = \"./near\"\n[[package]]\nname = \"idna\"\nversion = \"3.6\"\n";
    assert_eq!(told("app/pdm.lock", pdm), ["intent pkg:pypi/idna@3.6"]);
    let pipfile = br#"{"_meta":{"sources":[]},"default":{"idna":{"version":"==3.6","hashes":[]}},"tests":{"x":{"git":"u"},"y":{"version":"*"},"z":{"version":">=3"}}}"#;
    assert_eq!(told("app/Pipfile.lock", pipfile), ["intent pkg:pypi/idna@3.6"]);
    let nuget = br#"{"version":1,"dependencies":{"net8.0":{"A.B":{"type":"Direct","resolved":"1.2.0"},"mine":{"type":"Project"}}}}"#;
    assert_eq!(told("app/packages.lock.json", nuget), ["intent pkg:nuget/A.B@1.2.0"]);
    let mix = b"%{\n  \"plug\": {:hex, :plug, \"1.15.1\", \"b7e\", [:mix], [{:mime, \"~> 1.0\", [hex: :mime]}], \"hexpm\", \"459\"},\n}\n";
    assert_eq!(told("app/mix.lock", mix), ["intent pkg:hex/plug@1.15.1"]);
    assert_eq!(told("app/mix.lock", b"%{\"a\": {:hex, :a, \"1.0.0\"}}"), ["intent pkg:hex/a@1.0.0"]);
    let rebar = b"{\"1.2.0\",\n[{<<\"cowboy\">>,{pkg,<<\"cowboy\">>,<<\"2.9.0\">>},0},\n {<<\"g\">>,{git,\"u\",{ref,\"a\"}},0}]}.\n";
    assert_eq!(told("app/rebar.lock", rebar), ["intent pkg:hex/cowboy@2.9.0"]);
    let renv = br#"{"R":{"Version":"4.3.1"},"Packages":{"limma":{"Package":"limma","Version":"3.58","Source":"Bioconductor"},"jsonlite":{"Version":"1.8.8","Source":"Repository"}}}"#;
    assert_eq!(
        told("app/renv.lock", renv),
        ["intent pkg:bioconductor/limma@3.58", "intent pkg:cran/jsonlite@1.8.8"]
    );
    let pylock = b"lock-version = \"1.0\"\n[[packages]]\nname = \"idna\"\nversion = \"3.6\"\n";
    assert_eq!(told("app/pylock.dev.toml", pylock), ["intent pkg:pypi/idna@3.6"]);
    for cut in [&mix[..60], b"plug 1.15.1", b""] {
        assert!(read(Reader::MixLock, "mix.lock", cut).is_err());
    }
    assert!(read(Reader::RebarLock, "rebar.lock", &rebar[..60]).is_err());
    assert!(read(Reader::CargoLock, "Cargo.lock", b"[[package]\n").is_err());
    let deep = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(Reader::CargoLock, "Cargo.lock", deep.as_bytes()).is_err());
}

#[test]
fn r_erlang_and_conda_tell_what_is_installed() {
    let text = b"Package: commonmark\nTitle: A\n  Parser\nVersion: 1.8\nLicense: BSD_2_clause +\n    file LICENSE\nBuilt: R 4.3.1; x86_64-pc-linux-gnu; 2024-01-01; unix\n";
    let path = "usr/local/lib/R/site-library/commonmark/DESCRIPTION";
    assert_eq!(told(path, text), ["installed pkg:cran/commonmark@1.8 BSD_2_clause + file LICENSE"]);
    let bioc = b"Package: limma\nbiocViews: X\nVersion: 3.58.1\nBuilt: R 4.3.1; ; x; unix\n";
    assert_eq!(told("r/library/limma/DESCRIPTION", bioc), ["installed pkg:bioconductor/limma@3.58.1"]);
    assert!(
        told("src/commonmark/DESCRIPTION", b"Package: commonmark\nVersion: 1.8\n").is_empty(),
        "a source"
    );
    assert_eq!(reader_of("usr/share/octave/DESCRIPTION", b"Name: io\n"), None);

    let app = b"%% generated {vsn, \"0\"}\n{application, 'plug',\n [{description, \"x\"},\n  {modules, []},\n  {vsn,\"1.15.1\"}]}.\n";
    assert_eq!(told("app/lib/plug-1.15.1/ebin/plug.app", app), ["installed pkg:hex/plug@1.15.1"]);
    let odd =
        b"{application,plug,[{env,[{vsn,\"99.0.0\"}]},{description,\"100 % \\\" {vsn\"},{vsn,\"1.15.1\"}]}.";
    assert_eq!(told("opt/erlang/lib/plug/ebin/plug.app", odd), ["installed pkg:hex/plug@1.15.1"]);
    assert_eq!(record_beside("a/ebin/plug.app").map(|record| record.directory), Some("a/ebin"));
    let app = b"{application, ssl, [{vsn, \"11.0\"}]}.";
    assert_eq!(told("app/lib/ssl-11.0/ebin/ssl.app", app), ["installed pkg:otp/ssl@11.0"]);
    for bad in [&b"{vsn, \"1\"}."[..], b"{application, a, [{description"] {
        assert!(read(Reader::ErlangApp, "a/ebin/a.app", bad).is_err());
    }

    let record = br#"{"build":"h1","name":"openssl","version":"3.0.1","license":"Apache-2.0","files":["a"]}"#;
    assert_eq!(
        told("opt/conda/conda-meta/openssl-3.0.1-h1.json", record),
        ["installed pkg:conda/openssl@3.0.1 Apache-2.0"]
    );
}

#[test]
fn letters_of_a_name_may_be_of_any_size() {
    for (path, reader) in [
        ("a/node_modules/lodash/PACKAGE.JSON", Reader::NodePackage),
        ("p/requests-2.20.0.DIST-INFO/metadata", Reader::PythonMetadata),
        ("app/cargo.LOCK", Reader::CargoLock),
        ("a.jar!/META-INF/Manifest.mf", Reader::JarManifest),
    ] {
        assert_eq!(reader_of(path, b""), Some(reader), "{path}");
    }
    assert_eq!(reader_of("app/log4j-core-2.14.1.jar", b"#!/bin/sh\nexec java"), Some(Reader::JarName));
}

#[test]
fn a_program_under_the_name_of_a_list_is_read_as_a_program() {
    let head = elf(b"Package: x\n{application,a,[]}");
    for path in
        ["srv/DESCRIPTION", "app/Cargo.lock", "app/mix.lock", "app/conda-meta/x.json", "app/yarn.lock"]
    {
        assert_eq!(reader_of(path, &head), Some(Reader::Program), "{path}");
    }
    // Those that cannot be read still say what is there.
    for path in ["a/node_modules/b/package.json", "app/x.deps.json", "r/library/x/DESCRIPTION"] {
        assert_ne!(reader_of(path, &head), Some(Reader::Program), "{path}");
    }
    assert_eq!(reader_of("app/conda-meta/x.deps.json", b"{}"), Some(Reader::DotnetDeps));
}

#[test]
fn a_bill_of_materials_is_a_claim() {
    let bom = br#"{"bomFormat":"CycloneDX","specVersion":"1.7","components":[{"type":"library","name":"x","purl":"pkg:maven/g/a@1%2B2?type=jar",
        "licenses":[{"license":{"id":"MIT"}}],"components":[{"purl":"pkg:npm/%40s/n@1.0.0"}]}]}"#;
    assert_eq!(told("app/bom.json", bom), ["claim pkg:maven/g/a@1%2B2 MIT", "claim pkg:npm/%40s/n@1.0.0"]);
    assert!(read_cyclonedx("bom.json", br#"{"bomFormat":"CycloneDX","specVersion":"9.9"}"#).is_err());
    assert!(read_cyclonedx("bom.json", br#"{"a":1}"#).is_err());
}

/// A little-endian ELF of 64 bits without section headers, with one segment that holds all of it.
fn elf(content: &[u8]) -> Vec<u8> {
    let mut out = b"\x7fELF\x02\x01\x01".to_vec();
    out.resize(16, 0);
    let half = |out: &mut Vec<u8>, number: u16| out.extend(number.to_le_bytes());
    half(&mut out, 2);
    half(&mut out, 62);
    out.extend(1_u32.to_le_bytes());
    [0_u64, 64, 0].iter().for_each(|number| out.extend(number.to_le_bytes()));
    out.extend(0_u32.to_le_bytes());
    [64, 56, 1, 64, 0, 0].iter().for_each(|number| half(&mut out, *number));
    let all = 120 + content.len() as u64;
    [1_u32, 6].iter().for_each(|number| out.extend(number.to_le_bytes()));
    [0, 0x1000, 0x1000, all, all, 0x1000].iter().for_each(|number: &u64| out.extend(number.to_le_bytes()));
    out.extend(content);
    out
}

const MODULES: &str = "path\texample.com/app\nmod\texample.com/app\t(devel)\t\ndep\tgithub.com/BurntSushi/toml\tv1.2.0\th1:x\ndep\tgolang.org/x/net\tv0.1.0\n=>\tgolang.org/x/net\tv0.2.0\th1:y\n";

fn inline_go() -> Vec<u8> {
    let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
    data.resize(32, 0);
    data.push(8);
    data.extend(b"go1.22.1");
    let modules = [&[b'<'; 16][..], MODULES.as_bytes(), &[b'>'; 16]].concat();
    let length = modules.len();
    data.push(u8::try_from(length & 0x7f).expect("small") | 0x80);
    data.push(u8::try_from(length >> 7).expect("small"));
    data.extend(modules);
    elf(&data)
}

fn pointed_go() -> Vec<u8> {
    let base = 0x1000 + 120;
    let modules = [&[b'<'; 16][..], MODULES.as_bytes(), &[b'>'; 16]].concat();
    let mut data = b"\xff Go buildinf:\x08\x00".to_vec();
    [base + 32_u64, base + 48].iter().for_each(|at| data.extend(at.to_le_bytes()));
    let texts = [base + 64, 6, base + 70, modules.len() as u64];
    texts.iter().for_each(|number| data.extend(number.to_le_bytes()));
    data.extend(b"go1.17");
    data.extend(modules);
    elf(&data)
}

#[test]
fn go_programs_tell_their_modules_in_both_forms() {
    let modules = [
        "installed pkg:golang/example.com/app",
        "installed pkg:golang/github.com/burntsushi/toml@v1.2.0",
        "installed pkg:golang/golang.org/x/net@v0.2.0",
    ];
    for (program, release) in [(inline_go(), "1.22.1"), (pointed_go(), "1.17")] {
        let toolchain = format!("installed pkg:golang/stdlib@{release}");
        let all: Vec<&str> = modules.iter().copied().chain([toolchain.as_str()]).collect();
        assert_eq!(told("usr/local/bin/app", &program), all);
    }
    // With a table of sections that names none for it, the list is in what the program may write.
    for program in [inline_go(), pointed_go()] {
        let mut sections = program.clone();
        let table = sections.len() as u64;
        sections.resize(sections.len() + 3 * 64, 0);
        sections[40..48].copy_from_slice(&table.to_le_bytes());
        sections[60..62].copy_from_slice(&3_u16.to_le_bytes());
        assert_eq!(told("usr/local/bin/app", &sections).len(), 4);
    }
    assert_eq!(told("bin/other", &elf(b"nothing")), [""; 0]);
    assert_eq!(reader_of("A.class", b"\xca\xfe\xba\xbe\0\0\0\x34"), None, "a Java class is no Mach-O");
}

/// A program of a platform with one section of its own.
fn with_section(format: object::BinaryFormat, section: &str, data: &[u8]) -> Vec<u8> {
    use object::write::Object;
    let mut file = Object::new(format, object::Architecture::X86_64, object::Endianness::Little);
    let segment = if format == object::BinaryFormat::MachO { b"__DATA".to_vec() } else { Vec::new() };
    let id = file.add_section(segment, section.as_bytes().to_vec(), object::SectionKind::Data);
    file.append_section_data(id, data, 16);
    file.write().expect("written")
}

fn audited() -> Vec<u8> {
    use std::io::Write;
    let text = br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true,"dependencies":[1,2]},
        {"name":"serde","version":"1.0.200","source":"crates.io"},{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}"#;
    let mut deflated = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    deflated.write_all(text).expect("written");
    deflated.finish().expect("ends")
}

#[test]
fn rust_programs_tell_their_crates_and_not_those_that_built_them() {
    let program = with_section(object::BinaryFormat::Elf, ".dep-v0", &audited());
    assert_eq!(
        told("bin/app", &program),
        ["installed pkg:cargo/app@0.1.0", "installed pkg:cargo/serde@1.0.200"]
    );
    let cut = with_section(object::BinaryFormat::Elf, ".dep-v0", &audited()[..20]);
    assert!(read(Reader::Program, "bin/app", &cut).is_err());
    let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 64 << 20), &mut bomb).expect("written");
    let bomb = with_section(object::BinaryFormat::Elf, ".dep-v0", &bomb.finish().expect("ends"));
    assert!(read(Reader::Program, "bin/app", &bomb).is_err(), "it unpacks to more than is read");
}

#[test]
fn go_programs_of_other_platforms_and_in_fat_files_are_read_too() {
    let list = inline_go().split_off(120);
    let macho = with_section(object::BinaryFormat::MachO, "__go_buildinfo", &list);
    assert_eq!(told("bin/app", &macho).len(), 4);
    let mut fat = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1];
    let size = u32::try_from(macho.len()).expect("small");
    [0x0100_0007, 3, 4096, size, 12].iter().for_each(|number: &u32| fat.extend(number.to_be_bytes()));
    fat.resize(4096, 0);
    fat.extend(&macho);
    assert_eq!(told("bin/app", &fat).len(), 4);
    let elf = with_section(object::BinaryFormat::Elf, ".go.buildinfo", &list);
    assert_eq!(told("bin/app", &elf).len(), 4);
    let broken = with_section(object::BinaryFormat::Elf, ".go.buildinfo", &list[..40]);
    assert!(read(Reader::Program, "bin/app", &broken).is_err(), "a list that ends outside of the file");
}

#[test]
fn known_programs_tell_their_version_under_their_own_name_only() {
    let busybox = elf(b"\0BusyBox v1.36.1 (2023)\0");
    assert_eq!(told("bin/busybox", &busybox), ["text pkg:generic/busybox@1.36.1"]);
    assert_eq!(told("bin/other", &busybox), [""; 0]);
    assert_eq!(told("usr/bin/python3.11", &elf(b"x\x003.11.2\0")), ["text pkg:generic/python@3.11.2"]);
    assert_eq!(
        told("usr/bin/openssl", &elf(b"OpenSSL \0OpenSSL 3.0.11 19 Sep")),
        ["text pkg:generic/openssl@3.0.11"]
    );
}

#[test]
fn too_many_and_too_long_names_are_broken_not_silent() {
    let many: String =
        (0..=COMPONENTS_OF_FILE_MAX).map(|at| format!("a{at}@^1:\n  version \"1.0.{at}\"\n")).collect();
    assert_eq!(read(Reader::YarnLock, "yarn.lock", many.as_bytes()), Err(Broken::TooMany));
    let long = format!("{{\"name\":\"{}\",\"version\":\"1\"}}", "a".repeat(2000));
    assert_eq!(read(Reader::NodePackage, "p", long.as_bytes()), Err(Broken::LongWord));
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(read(Reader::DotnetDeps, "p", deep.as_bytes()).is_err());
    let nested = format!("{}1{}", "{\"dependencies\":{\"a\":".repeat(10_000), "}}".repeat(10_000));
    assert!(read(Reader::NodeLock, "p", nested.as_bytes()).is_err());
    let nested = format!("{}1{}", "{\"components\":[".repeat(10_000), "]}".repeat(10_000));
    assert!(read(Reader::CycloneDx, "p", nested.as_bytes()).is_err());
    let bomb = format!(
        "packages:\n  a: &a [{}]\n{}",
        "x,".repeat(9),
        (0..40).map(|at| format!("  k{at}: [*a, *a]\n")).collect::<String>()
    );
    let _ = read(Reader::PnpmLock, "p", bomb.as_bytes());
}

const READERS: [Reader; 26] = [
    Reader::PythonMetadata,
    Reader::NodePackage,
    Reader::NodeLock,
    Reader::YarnLock,
    Reader::PnpmLock,
    Reader::PomProperties,
    Reader::Pom,
    Reader::JarManifest,
    Reader::JarName,
    Reader::Gemspec,
    Reader::GemfileLock,
    Reader::ComposerInstalled,
    Reader::ComposerLock,
    Reader::DotnetDeps,
    Reader::CargoLock,
    Reader::PythonLock,
    Reader::PipfileLock,
    Reader::NugetLock,
    Reader::MixLock,
    Reader::RebarLock,
    Reader::RenvLock,
    Reader::RDescription,
    Reader::ErlangApp,
    Reader::CondaRecord,
    Reader::Program,
    Reader::CycloneDx,
];

fn seeds() -> Vec<Vec<u8>> {
    vec![
        inline_go(),
        pointed_go(),
        b"Name: a\nVersion: 1\nLicense: x\n\n".to_vec(),
        br#"{"name":"a","version":"1","packages":{"node_modules/a":{"version":"1"}},"libraries":{"a/1":{"type":"package"}}}"#.to_vec(),
        br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{"purl":"pkg:npm/%40s/n@1.0.0"}]}"#.to_vec(),
        b"\"@s/a@^1.0.0\":\n  version \"1.2.3\"\n".to_vec(),
        b"GEM\n  specs:\n    a (1.0)\n".to_vec(),
        b"packages:\n  /@s/a@1.0.0(b@2.0.0):\n    dev: false\n".to_vec(),
        b"Bundle-SymbolicName: a\n b\nBundle-Version: 1\n".to_vec(),
        b"<licenses><license><name>A</name></license></licenses>".to_vec(),
        b"[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n".to_vec(),
        b"%{\n  \"a\": {:hex, :a, \"1.0.0\", \"x\"},\n}\n".to_vec(),
        b"Package: a\nVersion: 1.0-2\nLicense: GPL-2 |\n  MIT\nBuilt: R 4.3.1; ; x; unix\n".to_vec(),
        b"{application,a,[{description,\"x\"},{vsn,\"1.0.0\"}]}.\n".to_vec(),
    ]
}

proptest! {
    #[test]
    fn no_reader_panics_on_mutated_bytes(
        seed in 0_usize..14,
        cuts in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..12),
        keep in 0_usize..4096,
    ) {
        let mut bytes = seeds().swap_remove(seed);
        let length = bytes.len();
        for (at, value) in cuts {
            bytes[at % length] = value;
        }
        bytes.truncate(if keep % 3 == 0 { keep % length } else { length });
        for reader in READERS {
            let found = read(reader, "a/b-1.jar", &bytes).unwrap_or_default();
            prop_assert!(found.len() <= COMPONENTS_OF_FILE_MAX);
            found.iter().for_each(|component| assert!(component.purl().is_ascii()));
        }
    }
}

#[test]
fn four_bytes_make_no_class() {
    assert!(is_class(b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d"));
    assert!(is_class(b"\xca\xfe\xba\xbe\xff\xff\0\x41\x01\0"), "a preview of Java 21");
    for other in
        [&b"\xca\xfe\xba\xbe\n-----BEGIN"[..], b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbe\0\0\0\x34\0\0"]
    {
        assert!(!is_class(other), "{other:?}");
    }
}
