//! Made-up credentials of the kinds that are read in their surroundings, put together when the tests run,
//! each with a near miss.

/// Base64 of the standard alphabet.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).map(|chunk| {
        let all =
            chunk.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digit = |at: usize| match at <= chunk.len() {
            true => char::from(DIGITS[(all >> (18 - 6 * at) & 63) as usize]),
            false => '=',
        };
        [digit(0), digit(1), digit(2), digit(3)].iter().collect::<String>()
    });
    groups.collect()
}

fn random(count: usize) -> String {
    let mut state = count as u64 + 77;
    let draw = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"[(state >> 33) as usize % 57])
    };
    (0..count).map(draw).collect()
}

pub(super) fn all() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let rows = [keys(), logins(), settings(), tokens()].concat();
    rows.into_iter().map(|(name, good, near)| (name, good.into_bytes(), near.into_bytes())).collect()
}

type Row = (&'static str, String, String);

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}PRIV{}-----\n{body}\n-----END", "ATE KEY")
}

fn keys() -> Vec<Row> {
    let pkcs8 =
        base64(&[&[0x30, 0x82, 4, 0xbe, 2, 1, 0, 0x30, 0x0d, 6, 9][..], random(90).as_bytes()].concat());
    let openssh = String::from_utf8(crate::control()).expect("text");
    let pgp = format!("-----BEGIN PGP PRIV{}\n\nlQVYBGR2{}\n", "ATE KEY BLOCK-----", random(60));
    let sealed = format!("Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{}", random(80));
    let indented = pem("", &pkcs8).replace('\n', "\n    ");
    let note = "not a key but sixty letters of text that only stand where one would";
    let jwk = |d: usize| {
        format!("{{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"{}\",\"d\":\"{}\"}}", random(43), random(d))
    };
    let putty =
        |lines: &str| format!("PuTTY-User-Key-File-3: ssh-ed25519\nComment: x\n{lines}: 1\n{}\n", random(60));
    let whole = pem("RSA ", &pkcs8);
    vec![
        ("private key", whole.clone(), pem("RSA ", note)),
        ("private key", openssh.clone(), pem("OPENSSH ", &pkcs8)),
        ("private key", openssh.replace('\n', "\\n"), openssh.replace("BEGIN", "START")),
        ("private key", whole.replace('\n', "\\r\\n"), pem("RSA ", "")),
        ("private key", pem("EC ", &sealed), pem("EC ", &random(80).replace('M', "N").replacen('R', "Z", 9))),
        ("private key", pgp.clone(), pgp.replace("lQVY", "AAAA")),
        ("private key", indented, pem("", "MIIE")),
        ("private key", format!("key: {}\n", base64(whole.as_bytes())), base64(pem("RSA ", note).as_bytes())),
        ("PuTTY private key", putty("Private-Lines"), putty("Public-Lines")),
        ("private JSON Web Key", jwk(43), jwk(12)),
    ]
}

fn logins() -> Vec<Row> {
    let pair = base64(b"robot:hK3v9Qz71xWm");
    let auths = |auth: &str| format!("{{\"auths\": {{\"registry.example.org\": {{\"auth\": \"{auth}\"}}}}}}");
    let secret =
        |value: &str| format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  key: {value}\n");
    let json = |value: &str| format!("{{\"kind\":\"Secret\",\"data\":{{\"key\":\"{value}\"}}}}");
    let hash = |method: &str, salt: usize, count: usize| {
        format!("root:${method}${}${}:19000:0:::", random(salt), random(count))
    };
    let url = |password: &str| format!("postgres://app:{password}@db.internal:5432/x");
    vec![
        ("registry credentials", auths(&pair), auths("bm90aGluZw==")),
        (
            "registry credentials",
            base64(auths(&pair).replace(": ", ":").as_bytes()),
            base64(auths("").as_bytes()),
        ),
        ("password in a command", "app --password=hK3v9Qz71xWm".into(), "app --password=file.name".into()),
        (
            "password in a connection string",
            "Server=db;Uid=sa;Password=hK3v9Qz71xWm".into(),
            "Server=db;Uid=sa;Password=".into(),
        ),
        ("password", "PASSWORD=hK3v9Qz71xWm\n".into(), "PASSWORD=file.name\n".into()),
        (
            "password of a login",
            "user: app\npassword: hK3v9Qz71xWm\n".into(),
            "size: 4\npassword: hK3v9Qz71xWm\n".into(),
        ),
        ("Kubernetes Secret", secret(&base64(b"hK3v9Qz71xWm")), secret("plain-text-value")),
        ("Kubernetes Secret", json(&base64(b"hK3v9Qz71xWm")), json(&base64(b"changeme"))),
        (
            "HTTP basic credentials",
            format!("Authorization: Basic {pair}\r\n"),
            "Authorization: Basic bm90aGluZw==".into(),
        ),
        (
            "bearer token",
            format!("authorization: Bearer {}\n", random(40)),
            "Authorization: Bearer <token>".into(),
        ),
        ("URL with a password", url("Xk9_pQ2vL7mZ"), url("${PASSWORD}")),
        ("URL with a password", url("Xk9_pQ2vL7mZ").replace("app", ""), url("secret")),
        ("shadow password hash", hash("6", 8, 86), hash("6", 8, 85)),
        ("shadow password hash", hash("y", 4, 43).replace("$y$", "$y$j9T$"), hash("y", 4, 44)),
        (
            "shadow password hash",
            format!("admin:$apr1${}${}\n", random(8), random(22)),
            "admin:$apr1$x$y".into(),
        ),
        (
            "shadow password hash",
            format!("web:$2y$10${}\n", random(53)),
            format!("web:$2y$10${}\n", random(50)),
        ),
        (
            "netrc login",
            "machine api.internal login bot password hK3v9Qz71x\n".into(),
            "machine x login y password secret\n".into(),
        ),
        (
            "PostgreSQL password file",
            "db.internal:5432:app:app:hK3v9Qz71x\n".into(),
            "127.0.0.1:5432:5432\n".into(),
        ),
    ]
}

fn settings() -> Vec<Row> {
    let pair = base64(b"robot:hK3v9Qz71xWm");
    let yaml =
        |password: &str| format!("spring:\n  datasource:\n    username: app\n    password: {password}\n");
    vec![
        ("npm registry login", format!("//npm.internal/:_auth={pair}\n"), "_auth=bm90aGluZw==\n".into()),
        (
            "npm registry login",
            format!("_password = {}\n", base64(b"hK3v9Qz71")),
            "_password=hK3v9Qz71xWm\n".into(),
        ),
        (
            "MySQL password",
            "[client]\nuser=app\npassword=!Qz#7xWm\n".into(),
            "[client]\n#password=hK3v9Qz71\n".into(),
        ),
        (
            "database password",
            "define( 'DB_PASSWORD', '$Qz7(xWm' );".into(),
            "define( 'DB_PASSWORD', 'password_here' );".into(),
        ),
        (
            "WordPress secret key",
            format!("define('AUTH_KEY',  '{}');", random(64)),
            "define('AUTH_KEY',  'put your unique phrase here');".into(),
        ),
        (
            "Java property password",
            "\nspring.datasource.password=hK3v9;Qz71\n".into(),
            "\nspring.datasource.password=${DB_PASSWORD}\n".into(),
        ),
        ("database password", yaml("hK3v9;Qz71"), yaml("${DB_PASSWORD:}")),
    ]
}

fn tokens() -> Vec<Row> {
    let part = |json: &str| base64(json.as_bytes()).trim_end_matches('=').to_owned();
    let (header, claims) =
        (part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), part("{\"sub\":\"42\",\"name\":\"somebody\"}"));
    let jwt = format!("{header}.{claims}.{}", random(43));
    let openai = |count: usize| format!("sk-{}T3Blbk{}{}", random(20), "FJ", random(count));
    let sendgrid = |count: usize| format!("SG.{}.{}", random(22), random(count));
    let azure = |count: usize| format!("key={}+ASt{}==\n", random(76), random(count));
    let shared = |count: usize| {
        let signature =
            base64(random(count).as_bytes()).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        format!("https://a.blob.core.windows.net/c?sv=2024-11-04&se=2027-01-01&sig={signature}\n")
    };
    vec![
        ("JSON Web Token", jwt.clone(), format!("{header}.{claims}.")),
        (
            "JSON Web Token",
            jwt.clone(),
            format!("{header}.{claims}.4twFt5NiznN84AWoo1d7KO1T_yoc0Z6XOpOVswacPZg"),
        ),
        ("OpenAI key", openai(20), openai(19)),
        ("SendGrid key", sendgrid(43), sendgrid(42)),
        ("Azure service key", azure(6), azure(5)),
        ("shared access signature", shared(32), shared(31)),
    ]
}
