use super::*;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;

fn parts(list: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, io::Error>> + Unpin + use<> {
    futures::stream::iter(list.iter().map(|part| Ok(Bytes::from_static(part))).collect::<Vec<_>>())
}

fn upload(id: &str) -> Upload {
    Upload {
        id: id.into(),
        publisher: "aurora".into(),
        name: "gw.vhd".into(),
        size: 10,
        offset: 0,
        fingerprint: String::new(),
    }
}

/// A spool of a machine whose disk may be nearly full: what is to stay free there is not asked here.
fn opened(root: &Path) -> Spool {
    Spool::open(root).expect("opens").keeping_free(Some(0))
}

const ID: &str = "0190a5b0-0000-7000-8000-000000000000";

#[tokio::test]
async fn an_upload_goes_on_where_it_stands_and_nowhere_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    spool.begin(&upload(ID)).expect("begun");
    assert_eq!(spool.append(ID, 0, parts(&[b"abc", b"d"])).await.expect("taken"), 4);
    assert!(matches!(spool.append(ID, 0, parts(&[b"abc"])).await, Err(SpoolError::Offset(4))));
    let broken = futures::stream::iter([Ok(Bytes::from_static(b"ef")), Err(io::Error::other("gone"))]);
    assert!(matches!(spool.append(ID, 4, broken).await, Err(SpoolError::Stream(_))));
    assert_eq!(opened(dir.path()).find(ID).expect("there").offset, 6, "what came is kept");
    assert!(matches!(spool.append(ID, 6, parts(&[b"ghijk"])).await, Err(SpoolError::TooLong(10))));
    assert_eq!(spool.append(ID, 6, parts(&[b"ghij"])).await.expect("taken"), 10);
    assert_eq!(std::fs::read(spool.path(ID)).expect("there"), b"abcdefghij");
    assert!(matches!(spool.find("../../etc/passwd"), Err(SpoolError::Missing)));
}

#[tokio::test]
async fn open_uploads_share_the_room_whoever_s_they_are() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    let room = spool.room().expect("told");
    let most = |id: &str, publisher: &str| Upload {
        size: room / 10 * 6,
        publisher: publisher.to_owned(),
        ..upload(id)
    };
    let other = "0190a5b0-0000-7000-8000-000000000001";
    spool.begin(&most(ID, "aurora")).expect("there is room");
    let told = spool.begin(&most(other, "boreal"));
    assert!(matches!(told, Err(SpoolError::NoRoom(..))), "{told:?}");
    assert!(matches!(spool.find(other), Err(SpoolError::Missing)), "nothing of it stays");
    spool.remove(ID).expect("removed");
    spool.begin(&most(other, "boreal")).expect("there is room again");
}

#[tokio::test]
async fn an_upload_that_has_no_room_any_more_ends_before_the_disk_is_full() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    spool.begin(&upload(ID)).expect("begun");
    // As if others had filled the disk since it was begun.
    let large = Upload { size: 1 << 60, ..upload(ID) };
    write_document(&spool.upload(ID, "json"), &large).expect("written");
    let told = spool.append(ID, 0, parts(&[b"abc"])).await;
    assert!(matches!(told, Err(SpoolError::NoRoom(..))), "{told:?}");
    assert_eq!(spool.find(ID).expect("there").offset, 0);
}

#[test]
fn what_is_to_stay_free_is_not_promised_to_anybody() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    let most = spool.clone().keeping_free(Some(0)).room().expect("told");
    let less = spool.clone().keeping_free(Some(most / 2)).room().expect("told");
    assert!(less > 0 && less < most, "{less} of {most}");
    let none = spool.keeping_free(Some(u64::MAX));
    assert!(matches!(none.begin(&upload(ID)), Err(SpoolError::NoRoom(10, 0))));
}

#[test]
fn a_part_that_trickles_is_given_up_after_a_minute_whenever_that_begins() {
    let begun = Instant::now();
    let at = |secs| begun + Duration::from_secs(secs);
    let mut pace = Pace::new(begun);
    assert!((1..=2).all(|step| pace.keeps(1, at(step * 29))), "one minute is too little to judge");
    assert!(!pace.keeps(1, at(87)));
    let mut pace = Pace::new(begun);
    assert!((1..600).all(|secs| pace.keeps(RATE_MIN, at(secs))), "slow, and fast enough");
    let mut pace = Pace::new(begun);
    assert!(pace.keeps(1 << 30, at(30)) && pace.keeps(1, at(61)));
    assert!(!pace.keeps(1, at(122)), "what was fast before does not count");
}

#[tokio::test]
async fn a_publisher_cannot_fill_the_spool_with_open_uploads() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    for at in 0..UPLOADS_MAX {
        spool.begin(&upload(&format!("0190a5b0-0000-7000-8000-{at:012}"))).expect("begun");
    }
    assert!(matches!(spool.begin(&upload(ID)), Err(SpoolError::TooMany)) || UPLOADS_MAX == 0);
}

/// Serves an object; breaks off the first answer in the middle.
fn server(
    object: &'static [u8],
    tag: fn(usize) -> &'static str,
    asked: std::sync::mpsc::Sender<String>,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for (count, connection) in listener.incoming().enumerate() {
            let mut connection = connection.expect("a connection");
            let mut reader = BufReader::new(connection.try_clone().expect("twice"));
            let (mut line, mut range) = (String::new(), String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if line.to_lowercase().starts_with("range:") {
                    range = line.trim().to_lowercase();
                }
                line.clear();
            }
            let _ = asked.send(range.clone());
            let from = range.strip_prefix("range: bytes=").and_then(|r| r.trim_end_matches('-').parse().ok());
            let head = match from {
                None => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", object.len()),
                Some(from) if from >= object.len() => "HTTP/1.1 416 No\r\ncontent-length: 0\r\n".to_owned(),
                Some(from) => format!(
                    "HTTP/1.1 206 Part\r\ncontent-range: bytes {from}-{}/{}\r\ncontent-length: {}\r\n",
                    object.len() - 1,
                    object.len(),
                    object.len() - from
                ),
            };
            let body = &object[from.unwrap_or(0).min(object.len())..];
            let body = if count == 0 { &body[..body.len() / 2] } else { body };
            let tag = tag(count);
            let _ = write!(connection, "{head}etag: {tag}\r\nconnection: close\r\n\r\n");
            let _ = connection.write_all(body);
            let _ = connection.shutdown(std::net::Shutdown::Write);
            let _ = connection.read(&mut [0]);
        }
    });
    port
}

#[tokio::test]
async fn a_download_that_broke_off_goes_on_and_ends_byte_for_byte() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let object: &'static [u8] =
        Box::leak((0..100_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>().into());
    let (send, asked) = std::sync::mpsc::channel();
    let port = server(object, |_| "\"one\"", send);
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    let egress = Egress::new(&[format!("127.0.0.1:{port}")]).expect("an egress");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/gw.vhd?sig=1")).expect("a url");
    let first = spool.fetch(&egress, &url, "", 1 << 20, |_, _| {}).await;
    assert!(matches!(first, Err(FetchError::Broken(_))), "{first:?}");
    let again = Url::parse(&format!("http://127.0.0.1:{port}/gw.vhd?sig=2")).expect("a url");
    let fetched = spool.fetch(&egress, &again, "", 1 << 20, |_, _| {}).await.expect("fetched").expect("new");
    assert!(std::fs::read(&fetched.path).expect("there") == object);
    assert_eq!(fetched.validator, "\"one\" 400000");
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), ["", "range: bytes=200000-"]);
    let other = Url::parse(&format!("http://127.0.0.1:{port}/b.vhd")).expect("a url");
    let small = spool.fetch(&egress, &other, "", 10, |_, _| {}).await;
    assert!(matches!(small, Err(FetchError::TooLarge(400_000, 10))), "{small:?}");
}

#[tokio::test]
async fn the_tail_of_another_object_is_never_put_behind_the_head_of_this_one() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let object: &'static [u8] = Box::leak(vec![7; 100_000].into());
    let (send, asked) = std::sync::mpsc::channel();
    // A source that ignores If-Range and answers with a part of what it has by now.
    let port = server(object, |count| if count == 0 { "\"one\"" } else { "\"two\"" }, send);
    let dir = tempfile::tempdir().expect("a directory");
    let spool = opened(dir.path());
    let egress = Egress::new(&[format!("127.0.0.1:{port}")]).expect("an egress");
    let url = Url::parse(&format!("http://127.0.0.1:{port}/gw.vhd")).expect("a url");
    for _ in 0..2 {
        let broken = spool.fetch(&egress, &url, "", 1 << 20, |_, _| {}).await;
        assert!(matches!(broken, Err(FetchError::Broken(_))), "{broken:?}");
    }
    let fetched = spool.fetch(&egress, &url, "", 1 << 20, |_, _| {}).await.expect("fetched").expect("new");
    assert_eq!(fetched.validator, "\"two\" 100000");
    assert_eq!(asked.try_iter().collect::<Vec<_>>(), ["", "range: bytes=50000-", ""]);
}
