//! The create options of an IoT Edge module: what a container engine is asked for when it makes the container, as in the
//! body of `POST /containers/create` of the Docker Engine API.

use crate::{ReadError, json};
use serde_json::{Map, Value};

/// Capabilities with which a container is as good as privileged.
const AS_PRIVILEGED: [&str; 4] = ["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO"];
/// Keys of `HostConfig` that share a namespace with the host when they are `host`.
const NAMESPACES: [&str; 6] = ["NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode"];
/// Sockets over which a container engine is commanded.
const ENGINES: [&str; 5] =
    ["docker.sock", "containerd.sock", "podman.sock", "crio.sock", "iotedge/mgmt.sock"];

/// What create options ask for that gives the container the host, each as the option says it: privileged mode,
/// namespaces of the host, the socket of the container engine or a directory that it is in.
///
/// # Errors
/// `JSON-01`, also where it is no object.
pub fn powers(text: &str) -> Result<Vec<String>, ReadError> {
    let Value::Object(options) = json::parse(text.as_bytes())? else {
        return Err(ReadError::refused("JSON-01", 0, "create options are not an object"));
    };
    let mut out = Vec::new();
    if let Some(Value::Object(networks)) = value(&options, "NetworkingConfig")
        .and_then(Value::as_object)
        .and_then(|map| value(map, "EndpointsConfig"))
        && networks.keys().any(|name| name == "host")
    {
        out.push("NetworkingConfig.EndpointsConfig.host".to_owned());
    }
    let Some(host) = value(&options, "HostConfig").and_then(Value::as_object) else { return Ok(out) };
    if value(host, "Privileged").and_then(Value::as_bool) == Some(true) {
        out.push("HostConfig.Privileged".to_owned());
    }
    let shared = NAMESPACES.iter().filter(|key| value(host, key).and_then(Value::as_str) == Some("host"));
    out.extend(shared.map(|key| format!("HostConfig.{key} = host")));
    for capability in texts(host, "CapAdd") {
        let upper = capability.to_ascii_uppercase();
        if AS_PRIVILEGED.contains(&upper.strip_prefix("CAP_").unwrap_or(&upper)) {
            out.push(format!("HostConfig.CapAdd {capability}"));
        }
    }
    let binds = texts(host, "Binds").filter_map(|bind| bind.split(':').next());
    let mounts = value(host, "Mounts").and_then(Value::as_array).into_iter().flatten();
    let mounts = mounts.filter_map(|mount| value(mount.as_object()?, "Source")?.as_str());
    let given = binds.chain(mounts).filter(|source| gives_the_engine(source));
    out.extend(given.map(|source| format!("a mount of {source}")));
    Ok(out)
}

/// Engines read names of fields in any case.
fn value<'m>(map: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn texts<'m>(map: &'m Map<String, Value>, name: &str) -> impl Iterator<Item = &'m str> {
    value(map, name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a path of the host is the socket of an engine, or a directory above it.
fn gives_the_engine(source: &str) -> bool {
    let parts: Vec<&str> = source.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let path = parts.join("/");
    source.starts_with('/') && matches!(path.as_str(), "" | "var" | "run" | "var/run")
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
