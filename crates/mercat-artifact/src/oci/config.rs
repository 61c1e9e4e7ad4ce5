//! Image configs (image-spec 1.1.1, "Image Configuration").

use super::object;
use crate::{ReadError, json};
use mercat_domain::Digest;
use serde_json::{Map, Value};

/// What Mercat reads from an image config.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `os/architecture[/variant]`.
    pub platform: String,
    /// Uncompressed layer digests, lowest first.
    pub diff_ids: Vec<Digest>,
    /// `User`.
    pub user: String,
    /// `Env`, as `NAME=value`.
    pub env: Vec<String>,
    /// `Entrypoint`.
    pub entry_point: Vec<String>,
    /// `Cmd`.
    pub command: Vec<String>,
    /// `WorkingDir`.
    pub directory: String,
    /// `Labels`.
    pub labels: Vec<(String, String)>,
    /// `ExposedPorts`.
    pub ports: Vec<String>,
    /// `Volumes`.
    pub volumes: Vec<String>,
    /// `Healthcheck.Test`.
    pub health: Vec<String>,
    /// `history[].created_by`; empty where a step does not say.
    pub history: Vec<String>,
    /// `history[].comment` of each step; empty where it has none.
    pub comments: Vec<String>,
    /// Every other text of the document, keys included: credentials hide anywhere.
    pub texts: Vec<String>,
}

/// Parses an image config. A field that is not of its type is refused: a container engine refuses the image for it, or
/// takes it for something else.
///
/// # Errors
/// `JSON-01`, or `CFG-01` to `CFG-07` with what was found.
pub fn parse_config(bytes: &[u8]) -> Result<Config, ReadError> {
    let whole = json::parse(bytes)?;
    let texts = json::texts(&whole);
    let document = object(whole, "the config")?;
    json::plain_keys("CFG-04", &document, &OF_DOCUMENT)?;
    let os = word(&document, "os").unwrap_or_default();
    let architecture = word(&document, "architecture").unwrap_or_default();
    if os.is_empty() || architecture.is_empty() {
        return Err(ReadError::refused("CFG-01", 0, "os or architecture is missing"));
    }
    let variant = word(&document, "variant")?;
    for key in ["created", "author", "os.version"] {
        word(&document, key)?;
    }
    let platform = if variant.is_empty() {
        format!("{os}/{architecture}")
    } else {
        format!("{os}/{architecture}/{variant}")
    };
    let rootfs = document.get("rootfs").and_then(Value::as_object);
    rootfs.map_or(Ok(()), |rootfs| json::plain_keys("CFG-04", rootfs, &["type", "diff_ids"]))?;
    let diff_ids = rootfs
        .and_then(|rootfs| rootfs.get("diff_ids"))
        .and_then(Value::as_array)
        .ok_or_else(|| ReadError::refused("CFG-02", 0, "rootfs.diff_ids is missing"))?
        .iter()
        .map(|id| id.as_str().and_then(Digest::parse))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| ReadError::refused("CFG-02", 0, "a diff_id is not a sha256 digest"))?;
    let empty = Map::new();
    let config = match document.get("config") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(map)) => map,
        Some(_) => return Err(ReadError::refused("CFG-03", 0, "config is not an object")),
    };
    json::plain_keys("CFG-04", config, &OF_CONFIG)?;
    word(config, "StopSignal")?;
    words(config, "OnBuild")?;
    words(config, "Shell")?;
    let health = health(config)?;
    let (history, comments) = history(&document)?;
    let keys = |name| {
        let all = map(config, name)?.map(|(key, value)| match value {
            Value::Object(_) | Value::Null => Ok(key.clone()),
            _ => Err(wrong(name, "an object of empty objects")),
        });
        all.collect::<Result<Vec<_>, ReadError>>()
    };
    let read = Config {
        platform,
        diff_ids,
        user: word(config, "User")?,
        env: words(config, "Env")?,
        entry_point: words(config, "Entrypoint")?,
        command: words(config, "Cmd")?,
        directory: word(config, "WorkingDir")?,
        labels: map(config, "Labels")?
            .map(|(key, value)| Ok((key.clone(), text(value, "Labels")?)))
            .collect::<Result<_, ReadError>>()?,
        ports: keys("ExposedPorts")?,
        volumes: keys("Volumes")?,
        health,
        history,
        comments,
        texts,
    };
    read.check()?;
    Ok(read)
}

impl Config {
    /// What no process can be started with.
    fn check(&self) -> Result<(), ReadError> {
        let parts: [(&str, &[String]); 6] = [
            ("User", std::slice::from_ref(&self.user)),
            ("WorkingDir", std::slice::from_ref(&self.directory)),
            ("Env", &self.env),
            ("Entrypoint", &self.entry_point),
            ("Cmd", &self.command),
            ("Volumes", &self.volumes),
        ];
        // The text is not told: credentials stand here.
        if let Some((name, _)) = parts.iter().find(|(_, texts)| texts.iter().any(|text| text.contains('\0')))
        {
            return Err(ReadError::refused("CFG-05", 0, format!("a NUL in {name}")));
        }
        if let Some(port) = self.ports.iter().find(|port| !is_port(port)) {
            let what = format!(
                "the exposed port {}: ports are 1 to 65535, with /tcp, /udp or /sctp",
                json::cut(port)
            );
            return Err(ReadError::refused("CFG-06", 0, what));
        }
        // Engines differ about what a number beyond this range, with a sign or with zeros in front comes to.
        let is_beyond = |id: &str| {
            let digits = id.strip_prefix(['+', '-']).unwrap_or(id);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let plain = |number: u32| i32::try_from(number).is_ok() && number.to_string() == id;
            is_number && !id.parse().is_ok_and(plain)
        };
        if self.user.split(':').any(is_beyond) {
            let what =
                format!("the user {}: numbers are 0 to 2147483647, as they are", json::cut(&self.user));
            return Err(ReadError::refused("CFG-07", 0, what));
        }
        Ok(())
    }
}

/// The fields of a config, as the specification writes them.
const OF_DOCUMENT: [&str; 9] =
    ["architecture", "os", "os.version", "variant", "config", "rootfs", "history", "author", "created"];
/// Those of its `config`.
const OF_CONFIG: [&str; 12] = [
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "OnBuild",
    "Shell",
    "Healthcheck",
];

/// `PORT[-PORT][/tcp|udp|sctp]`, each from 1 to 65535.
fn is_port(text: &str) -> bool {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| plain && *port > 0)
    };
    let known = ["tcp", "udp", "sctp"].iter().any(|known| protocol.eq_ignore_ascii_case(known));
    known
        && match numbers.split_once('-') {
            Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
            None => number(numbers).is_some(),
        }
}

fn wrong(key: &str, what: &str) -> ReadError {
    ReadError::refused("CFG-04", 0, format!("{key} is not {what}"))
}

fn text(value: &Value, key: &str) -> Result<String, ReadError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        _ => Err(wrong(key, "text")),
    }
}

fn word(map: &Map<String, Value>, key: &str) -> Result<String, ReadError> {
    map.get(key).map_or(Ok(String::new()), |value| text(value, key))
}

fn words(map: &Map<String, Value>, key: &str) -> Result<Vec<String>, ReadError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|item| text(item, key)).collect(),
        Some(_) => Err(wrong(key, "a list")),
    }
}

fn map<'m>(
    map: &'m Map<String, Value>,
    key: &str,
) -> Result<impl Iterator<Item = (&'m String, &'m Value)>, ReadError> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None.into_iter().flatten()),
        Some(Value::Object(map)) => Ok(Some(map).into_iter().flatten()),
        Some(_) => Err(wrong(key, "an object")),
    }
}

/// What an engine runs again and again beside the entry point (an extension of Docker's).
fn health(config: &Map<String, Value>) -> Result<Vec<String>, ReadError> {
    const OF_HEALTH: [&str; 6] = ["Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"];
    let health = match config.get("Healthcheck") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(health)) => health,
        Some(_) => return Err(wrong("Healthcheck", "an object")),
    };
    json::plain_keys("CFG-04", health, &OF_HEALTH)?;
    let test = words(health, "Test")?;
    if test.iter().any(|word| word.contains('\0')) {
        return Err(ReadError::refused("CFG-05", 0, "a NUL in Test"));
    }
    for key in &OF_HEALTH[1..] {
        match health.get(*key) {
            None | Some(Value::Null) => {}
            Some(Value::Number(number)) if number.is_i64() => {}
            Some(_) => return Err(wrong(key, "a whole number")),
        }
    }
    Ok(test)
}

/// What each step did, and its comment.
fn history(document: &Map<String, Value>) -> Result<(Vec<String>, Vec<String>), ReadError> {
    let steps = match document.get("history") {
        None | Some(Value::Null) => return Ok((Vec::new(), Vec::new())),
        Some(Value::Array(steps)) => steps,
        Some(_) => return Err(wrong("history", "a list")),
    };
    let (mut done, mut comments) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Value::Object(step) => {
                json::plain_keys(
                    "CFG-04",
                    step,
                    &["created_by", "created", "author", "comment", "empty_layer"],
                )?;
                for key in ["created", "author"] {
                    word(step, key)?;
                }
                comments.push(word(step, "comment")?);
                match step.get("empty_layer") {
                    None | Some(Value::Null | Value::Bool(_)) => {}
                    Some(_) => return Err(wrong("empty_layer", "true or false")),
                }
                let by = step.get("created_by").map(|by| text(by, "created_by")).transpose()?;
                done.push(by.unwrap_or_default());
            }
            Value::Null => {
                done.push(String::new());
                comments.push(String::new());
            }
            _ => return Err(wrong("history", "a list of objects")),
        }
    }
    Ok((done, comments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(inside: &str) -> String {
        let text = format!(
            r#"{{"os": "linux", "architecture": "amd64", "rootfs": {{"diff_ids": []}}, "config": {{{inside}}}}}"#
        );
        match parse_config(text.as_bytes()) {
            Ok(_) => String::new(),
            Err(ReadError::Refused { code, .. }) => code.to_owned(),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn what_an_engine_would_refuse_or_read_otherwise_is_refused() {
        for (inside, expected) in [
            (r#""User": null, "Env": null, "Cmd": null, "Labels": null, "Volumes": null"#, ""),
            (
                r#""User": "app:2147483647", "ExposedPorts": {"1": {}, "53/udp": {}, "65535/TCP": {}, "8000-8010/tcp": {}}"#,
                "",
            ),
            (r#""User": "12345678901x""#, ""),
            (r#""User": "0:0""#, ""),
            (r#""User": 0"#, "CFG-04"),
            (r#""Entrypoint": "sh -c x""#, "CFG-04"),
            (r#""Cmd": ["sh", 5]"#, "CFG-04"),
            (r#""Env": {}"#, "CFG-04"),
            (r#""WorkingDir": []"#, "CFG-04"),
            (r#""Labels": {"a": 1}"#, "CFG-04"),
            (r#""Volumes": ["/data"]"#, "CFG-04"),
            (r#""ExposedPorts": ["80/tcp"]"#, "CFG-04"),
            (r#""ExposedPorts": {"80/tcp": 5}"#, "CFG-04"),
            (r#""exposedports": {"70000/tcp": {}}"#, "CFG-04"),
            (r#""entrypoint": ["/evil"]"#, "CFG-04"),
            (r#""OnBuild": "x""#, "CFG-04"),
            (r#""Healthcheck": {"Test": ["CMD", "/up"], "Interval": 3000000000, "Retries": 3}"#, ""),
            (r#""Healthcheck": ["CMD", "/up"]"#, "CFG-04"),
            (r#""Healthcheck": {"Test": "/up"}"#, "CFG-04"),
            (r#""Healthcheck": {"test": ["CMD", "/up"]}"#, "CFG-04"),
            (r#""HealthCheck": {"Test": ["CMD", "/up"]}"#, "CFG-04"),
            (r#""Healthcheck": {"Retries": "3"}"#, "CFG-04"),
            (r#""Healthcheck": {"Retries": 2.5}"#, "CFG-04"),
            (r#""Healthcheck": {"Test": ["CMD", "\u0000"]}"#, "CFG-05"),
            (r#""Entrypoint": ["a\u0000b"]"#, "CFG-05"),
            (r#""Env": ["A=\u0000"]"#, "CFG-05"),
            (r#""User": "a\u0000""#, "CFG-05"),
            (r#""ExposedPorts": {"70000/tcp": {}}"#, "CFG-06"),
            (r#""ExposedPorts": {"0/tcp": {}}"#, "CFG-06"),
            (r#""ExposedPorts": {"+80/tcp": {}}"#, "CFG-06"),
            (r#""ExposedPorts": {"80/icmp": {}}"#, "CFG-06"),
            (r#""ExposedPorts": {"90-80/tcp": {}}"#, "CFG-06"),
            (r#""ExposedPorts": {"/tcp": {}}"#, "CFG-06"),
            (r#""User": "2147483648""#, "CFG-07"),
            (r#""User": "00""#, "CFG-07"),
            (r#""User": "-1""#, "CFG-07"),
            (r#""User": "+0:app""#, "CFG-07"),
            (r#""User": "app:99999999999999999999""#, "CFG-07"),
        ] {
            assert_eq!(code(inside), expected, "{inside}");
        }
    }

    #[test]
    fn history_is_a_list_of_objects() {
        let of = |history: &str| {
            let text = format!(
                r#"{{"os": "l", "architecture": "a", "rootfs": {{"diff_ids": []}}, "history": {history}}}"#
            );
            parse_config(text.as_bytes()).map(|config| config.history)
        };
        assert_eq!(
            of(r#"[{"created_by": "a"}, {}, {"created_by": null}, null]"#).expect("read"),
            ["a", "", "", ""]
        );
        for bad in [
            "{}",
            "[5]",
            r#"[{"created_by": 5}]"#,
            r#"[{"empty_layer": "true"}]"#,
            r#"[{"Empty_Layer": true}]"#,
            r#"[{"comment": []}]"#,
        ] {
            assert!(matches!(of(bad), Err(ReadError::Refused { code: "CFG-04", .. })), "{bad}");
        }
    }
}
