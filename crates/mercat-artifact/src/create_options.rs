//! The create options of an IoT Edge module: what a container engine is asked for when it makes the container, as in the
//! body of `POST /containers/create` of the Docker Engine API.

use crate::{ReadError, json};
use serde_json::{Map, Value};

/// Capabilities with which a container is as good as privileged.
const AS_PRIVILEGED: [&str; 4] = ["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO"];
/// Keys of `HostConfig` that share a namespace with the host when they are `host`.
const NAMESPACES: [&str; 6] = ["NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode"];
/// Sockets and pipes over which a container engine is commanded.
const ENGINES: [&str; 6] =
    ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "iotedge/mgmt.sock", "pipe/docker_engine"];
/// Directories of the host, without the slash in front, that hold such a socket, or the host.
const HOLDERS: [&str; 14] = [
    "",
    "var",
    "run",
    "var/run",
    "etc",
    "dev",
    "proc",
    "sys",
    "run/containerd",
    "run/podman",
    "run/crio",
    "run/docker",
    "run/iotedge",
    "run/user",
];

/// What create options ask for that gives the container the host, each as the option says it: privileged mode,
/// namespaces of the host, the socket of the container engine or a directory that it is in.
///
/// # Errors
/// `JSON-01`, also where it is no object.
pub fn powers(text: &str) -> Result<Vec<String>, ReadError> {
    let options = parse(text)?;
    let mut out = Vec::new();
    if let Some(Value::Object(networks)) = value(&options, "NetworkingConfig")
        .and_then(Value::as_object)
        .and_then(|map| value(map, "EndpointsConfig"))
        && networks.keys().any(|name| name == "host")
    {
        out.push("NetworkingConfig.EndpointsConfig.host".to_owned());
    }
    let Some(host) = value(&options, "HostConfig").and_then(Value::as_object) else { return Ok(out) };
    // Some readers take text and numbers for yes.
    if !matches!(value(host, "Privileged"), None | Some(Value::Null | Value::Bool(false))) {
        out.push("HostConfig.Privileged".to_owned());
    }
    let shared = NAMESPACES.iter().filter(|key| value(host, key).and_then(Value::as_str) == Some("host"));
    out.extend(shared.map(|key| format!("HostConfig.{key} = host")));
    let rules = texts(host, "DeviceCgroupRules").filter(|rule| rule.trim_start().starts_with('a'));
    out.extend(rules.map(|rule| format!("HostConfig.DeviceCgroupRules {rule}")));
    for capability in texts(host, "CapAdd") {
        let upper = capability.to_ascii_uppercase();
        if AS_PRIVILEGED.contains(&upper.strip_prefix("CAP_").unwrap_or(&upper)) {
            out.push(format!("HostConfig.CapAdd {capability}"));
        }
    }
    let binds = texts(host, "Binds").filter_map(|bind| bind.split(':').next());
    let mounts = value(host, "Mounts").and_then(Value::as_array).into_iter().flatten();
    let mounts = mounts.filter_map(Value::as_object);
    let bound = mounts.clone().filter_map(|mount| {
        let driver = value(value(mount, "VolumeOptions")?.as_object()?, "DriverConfig")?.as_object()?;
        value(value(driver, "Options")?.as_object()?, "device")?.as_str()
    });
    let mounts = mounts.filter_map(|mount| value(mount, "Source")?.as_str()).chain(bound);
    let given = binds.chain(mounts).filter(|source| gives_the_engine(source));
    out.extend(given.map(|source| format!("a mount of {source}")));
    Ok(out)
}

/// Engines read names of fields in any case.
fn value<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    let name = json::folded(name);
    map.iter().find(|(key, _)| json::folded(key) == name).map(|(_, value)| value)
}

/// How create options start a container, where they say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// `Env`, as `NAME=value`.
    pub environment: Vec<String>,
    /// `Entrypoint`.
    pub entry_point: Option<Vec<String>>,
    /// `Cmd`.
    pub command: Option<Vec<String>>,
    /// `User`.
    pub user: Option<String>,
    /// `WorkingDir`.
    pub directory: Option<String>,
}

/// Reads how create options start a container; what is empty says nothing.
///
/// # Errors
/// As [`powers`].
pub fn start(text: &str) -> Result<Start, ReadError> {
    let options = parse(text)?;
    let list = |name: &str| {
        let words: Vec<String> = texts(&options, name).map(str::to_owned).collect();
        Some(words).filter(|words| !words.is_empty())
    };
    let word = |name: &str| {
        let word = value(&options, name).and_then(Value::as_str);
        word.filter(|word| !word.is_empty()).map(str::to_owned)
    };
    Ok(Start {
        environment: list("Env").unwrap_or_default(),
        entry_point: list("Entrypoint"),
        command: list("Cmd"),
        user: word("User"),
        directory: word("WorkingDir"),
    })
}

fn parse(text: &str) -> Result<Map<String, Value>, ReadError> {
    match json::parse(text.as_bytes())? {
        Value::Object(options) => Ok(options),
        _ => Err(ReadError::refused("JSON-01", 0, "create options are not an object")),
    }
}

/// The words of a list; engines take one word alone, too.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::String(word) => vec![word],
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn texts<'m>(map: &'m Map<String, Value>, name: &str) -> impl Iterator<Item = &'m str> {
    value(map, name).map(words).into_iter().flatten()
}

/// Whether a path of the host is the socket of an engine, or a directory above it.
fn gives_the_engine(source: &str) -> bool {
    let parts: Vec<&str> = source.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let path = parts.join("/");
    let path = path.strip_prefix("var/").filter(|rest| rest.starts_with("run")).unwrap_or(&path);
    let below = |top: &str| path.strip_prefix(top).is_some_and(|rest| rest.starts_with('/'));
    source.starts_with('/') && (HOLDERS.contains(&path) || below("proc") || below("sys") || below("run/user"))
        || ENGINES.iter().any(|engine| path.ends_with(engine))
        || parts.contains(&"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_a_container_the_host_is_told() {
        let asks = |text: &str| powers(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for (text, wanted) in [
            (r#"{"HostConfig":{"Privileged":true}}"#, "HostConfig.Privileged"),
            (r#"{"hostconfig":{"privileged":true}}"#, "HostConfig.Privileged"),
            (r#"{"HostConfig":{"PidMode":"host"}}"#, "HostConfig.PidMode = host"),
            (
                r#"{"NetworkingConfig":{"EndpointsConfig":{"host":{}}}}"#,
                "NetworkingConfig.EndpointsConfig.host",
            ),
            (r#"{"HostConfig":{"CapAdd":["NET_ADMIN","cap_sys_admin"]}}"#, "HostConfig.CapAdd cap_sys_admin"),
            (
                r#"{"HostConfig":{"Binds":["/var/run/docker.sock:/d.sock:ro"]}}"#,
                "a mount of /var/run/docker.sock",
            ),
            (r#"{"HostConfig":{"Binds":["/run//.:/r"]}}"#, "a mount of /run//."),
            (r#"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/","Target":"/h"}]}}"#, "a mount of /"),
            (r#"{"HostConfig":{"CapAdd":"ALL"}}"#, "HostConfig.CapAdd ALL"),
            (r#"{"HostConfig":{"Privileged":"true"}}"#, "HostConfig.Privileged"),
            ("{\"Ho\u{17f}tConfig\":{\"Privileged\":true}}", "HostConfig.Privileged"),
            (
                r#"{"HostConfig":{"DeviceCgroupRules":["a *:* rwm"]}}"#,
                "HostConfig.DeviceCgroupRules a *:* rwm",
            ),
            (r#"{"HostConfig":{"Binds":["/var/run/iotedge:/i"]}}"#, "a mount of /var/run/iotedge"),
            (r#"{"HostConfig":{"Binds":["/proc/1/root:/h"]}}"#, "a mount of /proc/1/root"),
            (
                r#"{"HostConfig":{"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"device":"/"}}}}]}}"#,
                "a mount of /",
            ),
            (r#"{"HostConfig":{"Binds":["/srv/../run:/r"]}}"#, "a mount of /srv/../run"),
        ] {
            assert_eq!(asks(text), [wanted], "{text}");
        }
        let harmless = r#"{"ExposedPorts":{"80/tcp":{}},"HostConfig":{"Privileged":false,"NetworkMode":"bridge",
            "Binds":["data:/data","/srv/app:/app"],"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}}"#;
        assert!(asks(harmless).is_empty() && asks("{}").is_empty());
        assert!(
            ["", "[]", "{", r#"{"HostConfig":{},"hostConfig":{"Privileged":true}}"#]
                .iter()
                .all(|text| powers(text).is_err())
        );
    }
}
