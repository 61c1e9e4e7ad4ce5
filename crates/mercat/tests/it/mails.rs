//! Mails through a mail server that misbehaves, and through deaths of ours.

use crate::House;
use crate::house::{NOBODYS, layout, tar};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Recipients by Message-ID, as often as each was taken.
type Taken = Arc<Mutex<BTreeMap<String, Vec<Vec<String>>>>>;

/// A mail server that misbehaves in six of twenty connections.
async fn server() -> (Taken, Arc<AtomicU32>, u16) {
    let (taken, asked): (Taken, Arc<AtomicU32>) = Default::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (kept, count) = (taken.clone(), asked.clone());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let fault = count.fetch_add(1, Ordering::SeqCst) % 20;
            tokio::spawn(talk(socket, fault, kept.clone()));
        }
    });
    (taken, asked, port)
}

async fn talk(socket: TcpStream, fault: u32, taken: Taken) -> Option<()> {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    match fault {
        // Too busy to say hello, or silent and gone.
        0 => return write.write_all(b"421 busy\r\n").await.ok(),
        3 => return None,
        _ => write.write_all(b"220 test\r\n").await.ok()?,
    }
    let (mut in_data, mut id, mut to) = (false, String::new(), Vec::new());
    while let Ok(Some(line)) = lines.next_line().await {
        let answer: &[u8] = if in_data {
            if let Some(found) = line.strip_prefix("Message-ID: ") {
                found.clone_into(&mut id);
            }
            // In the middle of the mail, the line breaks.
            if fault == 6 {
                return None;
            }
            if line != "." {
                continue;
            }
            in_data = false;
            if fault == 9 {
                b"451 not now\r\n"
            } else {
                let mail = (std::mem::take(&mut id), std::mem::take(&mut to));
                taken.lock().expect("no panic").entry(mail.0).or_default().push(mail.1);
                // Taken, and the answer is lost.
                if fault == 12 {
                    return None;
                }
                b"250 taken\r\n"
            }
        } else if let Some(address) = line.strip_prefix("RCPT TO:<") {
            to.push(address.split('>').next().unwrap_or("").to_owned());
            if fault == 15 { b"450 greylisted\r\n" } else { b"250 ok\r\n" }
        } else if line.starts_with("DATA") {
            in_data = true;
            b"354 go on\r\n"
        } else if line.starts_with("RSET") {
            to.clear();
            b"250 ok\r\n"
        } else if line.starts_with("QUIT") {
            b"221 bye\r\n"
        } else {
            b"250 ok\r\n"
        };
        write.write_all(answer).await.ok()?;
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mail_is_taken_under_its_id_through_faults_and_deaths_and_nobody_else_gets_it() {
    let (taken, asked, port) = server().await;
    let mut house = House::open().await;
    let file = house.data().join("mercat.toml");
    let text = std::fs::read_to_string(&file).expect("there");
    let own = text.lines().map(|line| match line.strip_prefix("port = ") {
        Some(_) => format!("port = {port}\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&file, own.collect::<String>()).expect("written");
    house.kill();
    house.start();
    house.answers().await;
    let daily = json!({"notices": ["N1", "N4", "N7"]});
    let (status, _) =
        house.api(Method::PUT, "/publishers/aurora/subscribers/team@example.org", Some(daily)).await;
    assert_eq!(status, StatusCode::OK);
    for number in 0..8 {
        let offer = format!("offer-{number}");
        let root = house.dir.path().join("images").join(&offer);
        layout(&root, &[tar(&[("a", offer.as_bytes())])], &["latest", "1.0.0"]);
        let mut document =
            house.offer(&offer, &format!("oci:{}", root.display()), &["latest", "1.0.0"], &[]).await;
        document["allowedSubscriptions"] = json!([NOBODYS]);
        document["leadDestination"] = json!("none");
        house.save(&document).await;
        house.publish(&offer).await;
        house.until(&offer, &["waitingForPublisherReview"]).await;
        // A mail server that fails holds back no run.
        house.api(Method::POST, &format!("/publishers/aurora/offers/{offer}/cancel"), None).await;
        if number % 3 == 1 {
            house.kill();
            house.start();
            house.answers().await;
        }
    }
    // N1, N4 and N7 of each, to the run's address and to the subscriber.
    let end = Instant::now() + Duration::from_secs(120);
    let mails = loop {
        let (_, mails) = house.api(Method::GET, "/publishers/aurora/mail", None).await;
        let mails = mails.as_array().expect("a list").clone();
        if mails.len() >= 48 && mails.iter().all(|mail| mail["sent"] == true) {
            break mails;
        }
        assert!(Instant::now() < end, "{} mails", mails.len());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let taken = taken.lock().expect("no panic").clone();
    let mut ids: Vec<String> =
        mails.iter().map(|mail| format!("<{}>", mail["id"].as_str().expect("an id"))).collect();
    ids.sort();
    assert_eq!(taken.keys().cloned().collect::<Vec<_>>(), ids, "each is there, and nothing else");
    assert_eq!(ids.len(), 48);
    for (id, copies) in &taken {
        let mail = mails
            .iter()
            .find(|mail| *id == format!("<{}>", mail["id"].as_str().expect("an id")))
            .expect("kept");
        let to: Value = json!(copies[0]);
        assert!(copies.iter().all(|copy| json!(copy) == to) && mail["to"] == to, "{id} {copies:?}");
        assert!(["ops@example.org", "team@example.org"].contains(&copies[0][0].as_str()), "{id}");
    }
    let repeats: usize = taken.values().map(|copies| copies.len() - 1).sum();
    eprintln!("48 mails, {} connections, {repeats} repeated under their id", asked.load(Ordering::SeqCst));
}
