//! Tricks with URLs, names and answers, against sockets that listen where nothing may arrive.

use super::*;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers names from a script: one list of addresses a question; the last one stays.
#[derive(Default)]
struct Script {
    answers: Mutex<BTreeMap<String, Vec<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Script {
    fn says(&self, name: &str, answers: &[&[&str]]) {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().expect("an address")).collect();
        let answers = answers.iter().map(parse).collect();
        self.answers.lock().expect("no panic").insert(name.to_owned(), answers);
    }
}

impl Lookup for Script {
    fn lookup(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("no panic");
        let answer =
            answers.get_mut(&host).map(|list| if list.len() > 1 { list.remove(0) } else { list[0].clone() });
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// A listener that must not be reached, on the IPv4 and the IPv6 loopback, and how often it was.
struct Forbidden {
    port: u16,
    reached: Arc<AtomicUsize>,
}

impl Forbidden {
    async fn open() -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let four = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = four.local_addr().expect("an address").port();
        let six = TcpListener::bind(("::1", port)).await.ok();
        for listener in [Some(four), six].into_iter().flatten() {
            let reached = reached.clone();
            tokio::spawn(async move {
                while let Ok((mut socket, _)) = listener.accept().await {
                    reached.fetch_add(1, Ordering::SeqCst);
                    let _ = socket.read(&mut [0; 4096]).await;
                    let _ = socket
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                        .await;
                }
            });
        }
        Self { port, reached }
    }

    fn count(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

/// A server that gives every connection to a function; its `host:port`.
async fn server<F, R>(answer: F) -> String
where
    F: Fn(TcpStream, String) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match socket.read(&mut chunk).await {
                        Ok(count) if count > 0 => head.extend_from_slice(&chunk[..count]),
                        _ => return,
                    }
                }
                answer(socket, String::from_utf8_lossy(&head).into_owned()).await;
            });
        }
    });
    address
}

fn egress(allow: &[&str], ports: &[u16], script: &Arc<Script>) -> Egress {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let allow = allow.iter().map(ToString::to_string).collect();
    let rules =
        Rules { allow, ports: ports.to_vec(), connect: Duration::from_millis(300), ..Rules::default() };
    Egress::with(rules, script.clone()).expect("builds")
}

/// Spellings of this machine and of what lies behind it, with `PORT` for the listener's port.
const SPELLINGS: &[&str] = &[
    // IPv4 in every form that parsers of the web accept.
    "https://127.0.0.1:PORT/",
    "https://127.1:PORT/",
    "https://127.0.1:PORT/",
    "https://0x7f000001:PORT/",
    "https://0X7F.0.0.1:PORT/",
    "https://0x7f.1:PORT/",
    "https://2130706433:PORT/",
    "https://017700000001:PORT/",
    "https://0177.0.0.1:PORT/",
    "https://0177.1:PORT/",
    "https://0177.0.0x0.1:PORT/",
    "https://127.0.0.1.:PORT/",
    "https://127.000.000.001:PORT/",
    "https://127.127.127.127:PORT/",
    "https://127.0.0.2:PORT/",
    "https://0:PORT/",
    "https://0.0.0.0:PORT/",
    "https://00000000000:PORT/",
    "https://0x0:PORT/",
    "https://%31%32%37.0.0.1:PORT/",
    "https://127%2e0%2e0%2e1:PORT/",
    "https://127。0。0。1:PORT/",
    "https://１２７.0.0.1:PORT/",
    "https://①②⑦.⓪.⓪.①:PORT/",
    "https://127.0.0.1\t:PORT/",
    "https://127.0\n.0.1:PORT/",
    "https:\\\\127.0.0.1:PORT/",
    "https:/127.0.0.1:PORT/",
    "https:127.0.0.1:PORT/",
    "HTTPS://127.0.0.1:PORT/",
    "https:///127.0.0.1:PORT/",
    "https://127.0.0.1:0PORT/",
    // IPv6.
    "https://[::1]:PORT/",
    "https://[0:0:0:0:0:0:0:1]:PORT/",
    "https://[::]:PORT/",
    "https://[::ffff:127.0.0.1]:PORT/",
    "https://[::ffff:7f00:1]:PORT/",
    "https://[::127.0.0.1]:PORT/",
    "https://[64:ff9b::7f00:1]:PORT/",
    "https://[64:ff9b::127.0.0.1]:PORT/",
    "https://[64:ff9b:1::7f00:1]:PORT/",
    "https://[2002:7f00:1::]:PORT/",
    "https://[2001:0:7f00:1::]:PORT/",
    "https://[::ffff:0:127.0.0.1]:PORT/",
    "https://[fe80::1]:PORT/",
    "https://[fe80::1%25lo]:PORT/",
    "https://[fe80::1%lo]:PORT/",
    "https://[fc00::1]:PORT/",
    "https://[fd00::1]:PORT/",
    "https://[ff02::1]:PORT/",
    "https://[::ffff:a9fe:a9fe]:PORT/",
    "https://[100::1]:PORT/",
    "https://[3fff::1]:PORT/",
    "https://[5f00::1]:PORT/",
    "https://[2001:db8::1]:PORT/",
    // Names of this machine.
    "https://localhost:PORT/",
    "https://localhost.:PORT/",
    "https://LOCALHOST:PORT/",
    "https://LocalHost..:PORT/",
    "https://a.localhost:PORT/",
    "https://a.b.localhost.:PORT/",
    "https://ｌｏｃａｌｈｏｓｔ:PORT/",
    "https://loc%61lhost:PORT/",
    "https://printer.local:PORT/",
    "https://metadata.internal:PORT/",
    "https://ⓛocalhost:PORT/",
    // Metadata services, private networks.
    "https://169.254.169.254:PORT/latest/meta-data/",
    "https://169.254.170.2:PORT/",
    "https://2852039166:PORT/",
    "https://0xa9fea9fe:PORT/",
    "https://0251.0376.0251.0376:PORT/",
    "https://10.0.0.1:PORT/",
    "https://10.1:PORT/",
    "https://172.16.0.1:PORT/",
    "https://172.31.255.255:PORT/",
    "https://192.168.0.1:PORT/",
    "https://192.168.257:PORT/",
    "https://100.64.0.1:PORT/",
    "https://198.18.0.1:PORT/",
    "https://192.0.0.8:PORT/",
    "https://192.0.2.1:PORT/",
    "https://224.0.0.1:PORT/",
    "https://255.255.255.255:PORT/",
    "https://240.0.0.1:PORT/",
    "https://192.88.99.1:PORT/",
    // Who is the host?
    "https://example.org@127.0.0.1:PORT/",
    "https://user:pass@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT@example.org:22/",
    "https://example.org:pw@[::1]:PORT/",
    "https://127.0.0.1:PORT#@example.org/",
    "https://127.0.0.1:PORT?@example.org/",
    "https://127.0.0.1:PORT\\@example.org/",
    "https://example.org\\@127.0.0.1:PORT/",
    "https://@127.0.0.1:PORT/",
    "https://:@127.0.0.1:PORT/",
    "https://example.org%00@127.0.0.1:PORT/",
    "https://127.0.0.1:PORT%00.example.org/",
    "https://127.0.0.1%00.example.org:PORT/",
    "https://127.0.0.1%2f.example.org:PORT/",
    "https://127.0.0.1%23.example.org:PORT/",
    "https://exa mple.org:PORT/",
    "https://127.0.0.1%09:PORT/",
    "https://127.0.0.1%2500:PORT/",
    "https://<127.0.0.1>:PORT/",
    "https://[127.0.0.1]:PORT/",
    "https://[::1:PORT/",
    "https://::1:PORT/",
    // Other schemes.
    "http://127.0.0.1:PORT/",
    "http://[::1]:PORT/",
    "http://localhost:PORT/",
    "http://example.org:PORT/",
    "file:///etc/passwd",
    "file://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/_x",
    "ftp://127.0.0.1:PORT/",
    "data:text/plain,x",
    "unix:/var/run/docker.sock",
    "jar:https://127.0.0.1:PORT/!/",
    "ws://127.0.0.1:PORT/",
    "wss://127.0.0.1:PORT/",
    "dict://127.0.0.1:PORT/",
    "ldap://127.0.0.1:PORT/",
    "tftp://127.0.0.1:PORT/",
    "javascript:x",
    "blob:https://127.0.0.1:PORT/x",
    "view-source:https://127.0.0.1:PORT/",
    "about:blank",
    "netdoc:///etc/passwd",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "",
    // Ports of other services.
    "https://example.org:22/",
    "https://example.org:25/",
    "https://example.org:6379/",
    "https://example.org:80/",
    "https://example.org:0/",
    "https://example.org:65536/",
    "https://example.org:-1/",
    "https://8.8.8.8:3306/",
];

/// Answers of a name server that end at this machine, or pretend to.
fn names(script: &Script) -> Vec<&'static str> {
    let public = "198.41.0.4";
    script.says("private.test", &[&["127.0.0.1"]]);
    script.says("six.test", &[&["::1"]]);
    script.says("both.test", &[&[public, "127.0.0.1"]]);
    script.says("both-other-way.test", &[&["127.0.0.1", public]]);
    script.says("mapped.test", &[&["::ffff:127.0.0.1"]]);
    script.says("compatible.test", &[&["::127.0.0.1"]]);
    script.says("nat64.test", &[&["64:ff9b::7f00:1"]]);
    script.says("6to4.test", &[&["2002:7f00:1::"]]);
    script.says("teredo.test", &[&["2001:0:7f00:1::"]]);
    script.says("zero.test", &[&["0.0.0.0"]]);
    script.says("unspecified.test", &[&["::"]]);
    script.says("metadata.test", &[&["169.254.169.254"]]);
    script.says("link.test", &[&["fe80::1"]]);
    script.says("unique.test", &[&["fd00::1"]]);
    script.says("shared.test", &[&["100.64.0.1"]]);
    script.says("ten.test", &[&["10.0.0.1"]]);
    script.says("many.test", &[&[public; 1000]]);
    let mut hidden = vec![public; 40];
    hidden.push("127.0.0.1");
    script.says("hidden.test", &[&hidden]);
    script.says("none.test", &[&[]]);
    // Rebinding: public while it is looked at, private for the connection.
    script.says("rebind.test", &[&[public], &["127.0.0.1"]]);
    script.says("rebind-six.test", &[&["2001:500:9f::42"], &["::1"]]);
    script.says("xn--rebind-gva.test", &[&[public], &["127.0.0.1"], &[public], &["127.0.0.1"]]);
    script.says("trailing.test.", &[&["127.0.0.1"]]);
    script.says("upper.test", &[&["127.0.0.1"]]);
    vec![
        "https://private.test:PORT/",
        "https://six.test:PORT/",
        "https://both.test:PORT/",
        "https://both-other-way.test:PORT/",
        "https://mapped.test:PORT/",
        "https://compatible.test:PORT/",
        "https://nat64.test:PORT/",
        "https://6to4.test:PORT/",
        "https://teredo.test:PORT/",
        "https://zero.test:PORT/",
        "https://unspecified.test:PORT/",
        "https://metadata.test:PORT/",
        "https://link.test:PORT/",
        "https://unique.test:PORT/",
        "https://shared.test:PORT/",
        "https://ten.test:PORT/",
        "https://many.test:PORT/",
        "https://hidden.test:PORT/",
        "https://none.test:PORT/",
        "https://missing.test:PORT/",
        "https://rebind.test:PORT/",
        "https://rebind-six.test:PORT/",
        "https://rebindé.test:PORT/",
        "https://trailing.test.:PORT/",
        "https://UPPER.test:PORT/",
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trick_reaches_a_forbidden_listener() {
    let script = Arc::new(Script::default());
    let forbidden = Forbidden::open().await;
    // Tells the client to go wherever the path says.
    let redirecting = server(|mut socket, head| async move {
        let to = head.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
        let bytes =
            (0..to.len()).step_by(2).filter_map(|at| u8::from_str_radix(to.get(at..at + 2)?, 16).ok());
        let to: String =
            String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).chars().filter(|c| !c.is_control()).collect();
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = socket.write_all(answer.as_bytes()).await;
    })
    .await;
    let egress = egress(&[&redirecting], &[443, forbidden.port], &script);
    let port = forbidden.port.to_string();
    let tricks: Vec<String> =
        SPELLINGS.iter().copied().chain(names(&script)).map(|trick| trick.replace("PORT", &port)).collect();
    let mut tried = BTreeSet::new();
    for trick in &tricks {
        // Twice, because names may answer differently the second time.
        for _ in 0..2 {
            if let Ok(request) = egress.http().get(trick).timeout(Duration::from_secs(2)).build() {
                assert!(egress.send(request).await.is_err(), "{trick}");
            }
        }
        tried.insert(trick.clone());
        let hex: String = trick.bytes().map(|byte| format!("{byte:02x}")).collect();
        let redirect = format!("http://{redirecting}/{hex}");
        let request = egress.http().get(&redirect).timeout(Duration::from_secs(2)).build().expect("builds");
        if let Ok(answer) = egress.send(request).await {
            // Not a place to go to: the redirect itself is the answer.
            assert!(answer.status().is_redirection(), "{trick} by redirect: {}", answer.status());
        }
        tried.insert(redirect);
    }
    assert!(tried.len() >= 300, "{} tricks", tried.len());
    assert_eq!(forbidden.count(), 0, "a forbidden listener was reached");
    // The listener listens: an exception of the operator arrives.
    let allowed = format!("127.0.0.1:{port}");
    let open = self::egress(&[&allowed], &[443], &script);
    let request = open.http().get(format!("http://{allowed}/")).build().expect("builds");
    assert_eq!(open.send(request).await.expect("answers").status(), 200);
    assert_eq!(forbidden.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_asked_for_once_a_request() {
    let script = Arc::new(Script::default());
    script.says("once.test", &[&["198.41.0.4"], &["127.0.0.1"]]);
    let forbidden = Forbidden::open().await;
    let egress = egress(&[], &[forbidden.port], &script);
    let url = format!("https://once.test:{}/", forbidden.port);
    let request = egress.http().get(url).timeout(Duration::from_secs(2)).build().expect("builds");
    assert!(egress.send(request).await.is_err(), "that address is nobody's test server");
    assert_eq!((script.asked.load(Ordering::SeqCst), forbidden.count()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_the_operator_denies_are_as_private_ones() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let script = Arc::new(Script::default());
    script.says("own.test", &[&["198.41.0.4"]]);
    let deny = vec!["198.41.0.0/24".parse().expect("a network")];
    let egress = Egress::with(Rules { deny, ..Rules::default() }, script.clone()).expect("builds");
    let url = Url::parse("https://198.41.0.4/").expect("a URL");
    assert!(matches!(egress.check(&url), Err(EgressError::Denied { .. })));
    let request = egress.http().get("https://own.test/").build().expect("builds");
    let refused = egress.send(request).await.expect_err("refused");
    assert!(format!("{refused:?}").contains("not public"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_stay_with_their_origin_and_redirects_come_to_an_end() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = seen.clone();
    let target = server(move |mut socket, head| {
        kept.lock().expect("no panic").push(head);
        async move {
            let _ =
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    })
    .await;
    let (to, elsewhere) = (target.clone(), seen.clone());
    let first = server(move |mut socket, head| {
        let to = match head.split(' ').nth(1) {
            Some("/loop") => "/loop".to_owned(),
            Some("/here") => "/gone".to_owned(),
            Some("/gone") => {
                elsewhere.lock().expect("no panic").push(head);
                String::new()
            }
            _ => format!("http://{to}/"),
        };
        async move {
            let line =
                if to.is_empty() { "200 OK".to_owned() } else { format!("307 Moved\r\nlocation: {to}") };
            let answer = format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    let egress = egress(&[&first, &target], &[443], &Arc::default());
    let ask = async |path: &str, method: reqwest::Method| {
        let mut key = reqwest::header::HeaderValue::from_static("k3y");
        key.set_sensitive(true);
        let request = egress.http().request(method, format!("http://{first}{path}"));
        let request = request.bearer_auth("t0ken").header("cookie", "c=00kie").header("x-key", key);
        egress.send(request.build().expect("builds")).await
    };
    ask("/", reqwest::Method::GET).await.expect("answers");
    let other = std::mem::take(&mut *seen.lock().expect("no panic")).concat().to_ascii_lowercase();
    assert!(
        other.starts_with("get / ") && !["t0ken", "00kie", "k3y"].iter().any(|secret| other.contains(secret)),
        "{other}"
    );
    ask("/here", reqwest::Method::GET).await.expect("answers");
    let same = std::mem::take(&mut *seen.lock().expect("no panic")).concat();
    assert!(["t0ken", "00kie", "k3y"].iter().all(|secret| same.contains(secret)), "{same}");
    assert!(matches!(ask("/loop", reqwest::Method::GET).await, Err(EgressError::Redirects { .. })));
    // What changes something is never sent a second time to another place.
    assert_eq!(ask("/", reqwest::Method::POST).await.expect("answers").status(), 307);
    assert!(seen.lock().expect("no panic").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_end_have_one() {
    let host = server(|mut socket, head| async move {
        let path = head.split(' ').nth(1).unwrap_or("").to_owned();
        let chunk = vec![b'x'; 1 << 16];
        match path.as_str() {
            "/endless" => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                while socket.write_all(&chunk).await.is_ok() {}
            }
            "/drip" => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                while socket.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            "/headers" => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nx: ").await;
                while socket.write_all(&chunk).await.is_ok() {}
            }
            "/nine" => {
                let _ = socket.write_all(b"<html>hello</html>").await;
            }
            "/bomb" => {
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00").await;
            }
            _ => {}
        }
    })
    .await;
    let egress = egress(&[&host], &[443], &Arc::default());
    let ask = async |path: &str| {
        let request = egress.http().get(format!("http://{host}{path}")).build().expect("builds");
        egress.send(request).await
    };
    let time = Duration::from_millis(400);
    let endless = body(ask("/endless").await.expect("begins"), 1 << 20, Duration::from_secs(20)).await;
    assert!(matches!(endless, Err(BodyError::TooLong(_))), "{endless:?}");
    let drip = body(ask("/drip").await.expect("begins"), 1 << 20, time).await;
    assert!(matches!(drip, Err(BodyError::TooSlow(_))), "{drip:?}");
    for broken in ["/headers", "/nine", "/close"] {
        assert!(matches!(ask(broken).await, Err(EgressError::Unreachable { .. })), "{broken}");
    }
    let packed = body(ask("/bomb").await.expect("begins"), 1 << 20, time).await.expect("ends");
    assert_eq!(packed.len(), 4, "nothing is unpacked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused_and_called_so() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for expired in [false, true] {
        let mut parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        if expired {
            parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("signed").der().clone();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.expect("usable")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let host = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let _ = acceptor.accept(socket).await;
            }
        });
        let egress = egress(&[&host], &[443], &Arc::default());
        let request = egress.http().get(format!("https://{host}/")).build().expect("builds");
        let refused = egress.send(request).await.expect_err("refused");
        assert!(refused.is_tls(), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_is_not_asked() {
    // Set by the test's own child: variables of this process belong to all tests.
    let forbidden = Forbidden::open().await;
    let proxy = format!("http://127.0.0.1:{}", forbidden.port);
    let program = std::env::current_exe().expect("this program");
    let name = "tests::with_a_proxy_in_the_environment";
    let child = tokio::process::Command::new(program)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .envs(["http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"].map(|key| (key, &proxy)))
        .output();
    let out = child.await.expect("it ran");
    assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains("1 passed"), "{out:?}");
    assert_eq!(forbidden.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test above, in an environment of its own"]
async fn with_a_proxy_in_the_environment() {
    let target = server(|mut socket, _| async move {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    })
    .await;
    let egress = egress(&[&target], &[443], &Arc::default());
    let request = egress.http().get(format!("http://{target}/")).build().expect("builds");
    assert_eq!(egress.send(request).await.expect("answers").status(), 200);
}

#[test]
fn only_public_https_passes_unless_the_operator_says_so() {
    let open = egress(&["127.0.0.1:5000", "Registry.test:5000"], &PORTS, &Arc::default());
    for good in [
        "https://example.org/x",
        "https://8.8.8.8/",
        "http://127.0.0.1:5000/v2/",
        "http://registry.test:5000/",
    ] {
        open.check(&Url::parse(good).expect("a URL")).expect("allowed");
    }
    for bad in [
        "https://127.0.0.1:5001/",
        "https://registry.test/",
        "https://user@example.org/",
        "https://example.org:22/",
    ] {
        assert!(open.check(&Url::parse(bad).expect("a URL")).is_err(), "{bad}");
    }
}
