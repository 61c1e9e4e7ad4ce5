//! Files for other platforms, as text: pure functions over what is deployed.

use serde_json::{Map, Value, json};

/// A disk that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    /// `None` for the OS disk.
    pub(super) lun: Option<usize>,
    /// File name, beside the files that are written.
    pub(super) file: String,
    /// SHA-256 of the file, hex.
    pub(super) sha256: String,
    /// Bytes of the disk.
    pub(super) size: u64,
}

/// What a virtual machine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) urn: String,
    /// A name that every platform takes: lower case, digits and dashes.
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) server: String,
    pub(super) os_family: String,
    pub(super) os_name: String,
    pub(super) memory: u32,
    pub(super) uefi: bool,
    pub(super) disks: Vec<Disk>,
    /// Port or range and protocol.
    pub(super) ports: Vec<(String, String)>,
    /// Today, `YYYY-MM-DD`.
    pub(super) today: String,
}

/// What a container needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) urn: String,
    pub(super) name: String,
    /// `host/publisher/offer/plan@sha256:...`.
    pub(super) image: String,
    /// The plan's IoT Edge defaults.
    pub(super) edge: Value,
}

/// Name and text of files.
pub(super) type Files = Vec<(&'static str, String)>;

/// A name for all platforms.
pub(super) fn plain(text: &str) -> String {
    let name: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(50)
        .collect();
    name.trim_matches('-').to_owned()
}

/// A word of POSIX shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn yaml(value: &Value) -> String {
    // JSON is YAML, and needs no second writer; one document a file.
    format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())
}

/// A KubeVirt containerDisk and a virtual machine that uses it.
pub(super) fn kubevirt(machine: &Machine) -> Files {
    let image = format!("REGISTRY/{}:1", machine.name);
    let adds: Vec<String> = machine
        .disks
        .iter()
        .map(|disk| {
            let target = disk.lun.map_or("disk".to_owned(), |lun| format!("disk-lun{lun}"));
            format!("FROM scratch AS {target}\nADD --chown=107:107 {} /disk/\n", disk.file)
        })
        .collect();
    let of = |disk: &Disk| match disk.lun {
        None => ("disk".to_owned(), image.clone()),
        Some(lun) => (format!("disk-lun{lun}"), format!("REGISTRY/{}-lun{lun}:1", machine.name)),
    };
    let devices: Vec<Value> =
        machine.disks.iter().map(|disk| json!({"name": of(disk).0, "disk": {"bus": "virtio"}})).collect();
    let volumes: Vec<Value> = machine
        .disks
        .iter()
        .map(|disk| json!({"name": of(disk).0, "containerDisk": {"image": of(disk).1}}))
        .collect();
    let firmware = if machine.uefi {
        json!({"bootloader": {"efi": {"secureBoot": false}}})
    } else {
        json!({"bootloader": {"bios": {}}})
    };
    let vm = json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
        "metadata": {"name": machine.name, "annotations": {"mercat/urn": machine.urn}},
        "spec": {
            "runStrategy": "Always",
            "template": {"spec": {
                "domain": {
                    "firmware": firmware,
                    "resources": {"requests": {"memory": format!("{}Mi", machine.memory)}},
                    "devices": {"disks": devices, "interfaces": [{"name": "default", "masquerade": {}}]},
                },
                "networks": [{"name": "default", "pod": {}}],
                "volumes": volumes,
            }},
        },
    });
    let builds: String = machine
        .disks
        .iter()
        .map(|disk| {
            let (target, image) = of(disk);
            format!(
                "podman build --target {target} -t \"{image}\" .\npodman push \"{image}\"\n",
                image = image.replace("REGISTRY", "$1")
            )
        })
        .collect();
    let script = format!(
        "#!/bin/sh\n# Usage: ./build.sh REGISTRY, then: sed s,REGISTRY,registry.example.org/vms,g vm.yaml | kubectl apply -f -\n\
         set -eu\n{}{builds}",
        checks(machine)
    );
    vec![("Containerfile", adds.join("\n")), ("vm.yaml", yaml(&vm)), ("build.sh", script)]
}

fn checks(machine: &Machine) -> String {
    machine
        .disks
        .iter()
        .map(|disk| format!("echo \"{}  {}\" | sha256sum -c\n", disk.sha256, disk.file))
        .collect()
}

/// Properties of a Glance image by SCS-0102.
pub(super) fn glance_properties(machine: &Machine) -> Map<String, Value> {
    let gib = |bytes: u64| bytes.div_ceil(1 << 30).max(1);
    let os = machine.disks.iter().find(|disk| disk.lun.is_none()).map_or(1, |disk| gib(disk.size));
    let words: Vec<&str> = machine.os_name.split_whitespace().collect();
    let distro = words.first().map_or(machine.os_family.clone(), |word| word.to_ascii_lowercase());
    let version = words.iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let user = if machine.os_family == "windows" { "Administrator".to_owned() } else { distro.clone() };
    let pairs = json!({
        "architecture": "x86_64",
        "min_disk": os,
        "min_ram": machine.memory,
        "os_distro": distro,
        "os_version": version.map_or("unknown", |word| word),
        "os_purpose": "custom",
        "hw_disk_bus": "virtio",
        "hw_rng_model": "virtio",
        "hw_firmware_type": if machine.uefi { "uefi" } else { "bios" },
        "image_build_date": machine.today,
        "image_original_user": user,
        "image_source": format!("{}/marketplace/apps/{}", machine.server, listing_id(&machine.urn)),
        "image_description": machine.summary,
        "replace_frequency": "never",
        "uuid_validity": "none",
        "provided_until": "none",
        "mercat_urn": machine.urn,
    });
    pairs.as_object().cloned().unwrap_or_default()
}

fn listing_id(urn: &str) -> String {
    urn.split(':').take(2).collect::<Vec<_>>().join(".")
}

/// A script that makes the images, and their properties beside it.
pub(super) fn openstack(machine: &Machine) -> Files {
    let properties = glance_properties(machine);
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut script =
        format!("#!/bin/sh\n# Needs the openstack client and its credentials.\nset -eu\n{}", checks(machine));
    for disk in &machine.disks {
        let name = disk.lun.map_or(machine.name.clone(), |lun| format!("{}-lun{lun}", machine.name));
        script.push_str(&format!(
            "openstack image create --disk-format qcow2 --container-format bare --file {}",
            quoted(&disk.file)
        ));
        for (key, value) in properties.iter().filter(|(key, _)| key.starts_with("min_")) {
            script.push_str(&format!(" --{} {}", key.replace('_', "-"), shown(value)));
        }
        for (key, value) in properties.iter().filter(|(key, _)| !key.starts_with("min_")) {
            script.push_str(&format!(" \\\n  --property {}", quoted(&format!("{key}={}", shown(value)))));
        }
        script.push_str(&format!(" \\\n  {}\n", quoted(&name)));
    }
    vec![("import.sh", script), ("properties.json", yaml(&Value::Object(properties)))]
}

/// A script for a Proxmox VE node.
pub(super) fn proxmox(machine: &Machine) -> Files {
    let bios = if machine.uefi { "ovmf" } else { "seabios" };
    let mut script = format!(
        "#!/bin/sh\n# Usage on a Proxmox VE node: ./import.sh VMID STORAGE\nset -eu\n{}\
         qm create \"$1\" --name {} --memory {} --cores 2 --bios {bios} --ostype {} --scsihw virtio-scsi-single \\\n  \
         --net0 virtio,bridge=vmbr0 --serial0 socket --description {}\n",
        checks(machine),
        quoted(&machine.name),
        machine.memory,
        if machine.os_family == "windows" { "win11" } else { "l26" },
        quoted(&machine.urn),
    );
    for (index, disk) in machine.disks.iter().enumerate() {
        script.push_str(&format!("qm set \"$1\" --scsi{index} \"$2:0,import-from=$(pwd)/{}\"\n", disk.file));
    }
    script.push_str("qm set \"$1\" --boot order=scsi0\n");
    vec![("import.sh", script)]
}

/// A Deployment with the image pinned by digest.
pub(super) fn kubernetes(container: &Container) -> Files {
    let labels = json!({"app.kubernetes.io/name": container.name});
    let document = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": container.name, "labels": labels, "annotations": {"mercat/urn": container.urn}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": false,
                    "containers": [{
                        "name": container.name, "image": container.image,
                        "securityContext": {"allowPrivilegeEscalation": false},
                    }],
                },
            },
        },
    });
    vec![("kubernetes.yaml", yaml(&document))]
}

/// A Compose file with the image pinned by digest.
pub(super) fn compose(container: &Container) -> Files {
    let document = json!({
        "name": container.name,
        "services": {container.name.as_str(): {
            "image": container.image, "restart": "unless-stopped",
            "security_opt": ["no-new-privileges:true"],
            "labels": {"mercat.urn": container.urn},
        }},
    });
    vec![("compose.yaml", yaml(&document))]
}

/// An IoT Edge deployment manifest (schema 1.1) with the plan's defaults.
pub(super) fn iot_edge(container: &Container) -> Files {
    let runtime = |name: &str| {
        json!({
            "type": "docker", "status": "running", "restartPolicy": "always",
            "settings": {"image": format!("mcr.microsoft.com/azureiotedge-{name}:1.5"), "createOptions": "{}"},
        })
    };
    let pairs = |key: &str| -> Vec<(String, String)> {
        let rows = container.edge[key].as_array().into_iter().flatten();
        rows.filter_map(|row| Some((row[0].as_str()?.to_owned(), row[1].as_str()?.to_owned()))).collect()
    };
    let json_or_text = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    let env: Map<String, Value> =
        pairs("env").into_iter().map(|(name, value)| (name, json!({"value": value}))).collect();
    let routes: Map<String, Value> =
        pairs("routes").into_iter().map(|(name, value)| (name, json!(value))).collect();
    let twin: Map<String, Value> =
        pairs("twin").into_iter().map(|(name, value)| (name, json_or_text(&value))).collect();
    let options = container.edge["createOptions"].as_str().filter(|text| !text.is_empty()).unwrap_or("{}");
    let mut agent = runtime("agent");
    if let Some(agent) = agent.as_object_mut() {
        agent.remove("status");
        agent.remove("restartPolicy");
    }
    let mut content = json!({
        "$edgeAgent": {"properties.desired": {
            "schemaVersion": "1.1",
            "runtime": {"type": "docker", "settings": {"minDockerVersion": "v1.25"}},
            "systemModules": {"edgeAgent": agent, "edgeHub": runtime("hub")},
            "modules": {container.name.as_str(): {
                "version": "1.0", "type": "docker", "status": "running", "restartPolicy": "always",
                "settings": {"image": container.image, "createOptions": options},
                "env": env,
            }},
        }},
        "$edgeHub": {"properties.desired": {
            "schemaVersion": "1.1", "routes": routes, "storeAndForwardConfiguration": {"timeToLiveSecs": 7200},
        }},
    });
    if !twin.is_empty() {
        content[container.name.as_str()] = json!({"properties.desired": twin});
    }
    vec![("deployment.json", yaml(&json!({"modulesContent": content})))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            urn: "aurora:gw:small:1.0.0".into(),
            name: "gw-small".into(),
            summary: "It's a gateway; $(reboot)".into(),
            server: "https://market.example.org".into(),
            os_family: "linux".into(),
            os_name: "Debian 12".into(),
            memory: 1024,
            uefi: false,
            disks: vec![
                Disk { lun: None, file: "os.qcow2".into(), sha256: "ab".repeat(32), size: 4 << 30 },
                Disk { lun: Some(0), file: "lun0.qcow2".into(), sha256: "cd".repeat(32), size: 1 << 30 },
            ],
            ports: vec![("443".into(), "tcp".into())],
            today: "2026-11-25".into(),
        }
    }

    fn text(files: &Files, name: &str) -> String {
        files.iter().find(|(file, _)| *file == name).expect("the file").1.clone()
    }

    #[test]
    fn glance_gets_the_properties_of_the_contract() {
        let properties = glance_properties(&machine());
        for key in [
            "architecture",
            "min_disk",
            "min_ram",
            "os_distro",
            "os_version",
            "os_purpose",
            "hw_disk_bus",
            "image_build_date",
            "image_original_user",
            "image_source",
            "image_description",
            "replace_frequency",
            "uuid_validity",
            "provided_until",
        ] {
            assert!(properties.contains_key(key), "{key}");
        }
        assert_eq!((&properties["os_distro"], &properties["os_version"]), (&json!("debian"), &json!("12")));
        assert_eq!(properties["min_disk"], 4);
    }

    #[test]
    fn scripts_check_digests_and_take_text_as_text() {
        let script = text(&openstack(&machine()), "import.sh");
        assert!(script.contains(&format!("echo \"{}  os.qcow2\" | sha256sum -c", "ab".repeat(32))));
        assert!(script.contains(r"'image_description=It'\''s a gateway; $(reboot)'"), "{script}");
        assert_eq!(script.matches("openstack image create").count(), 2);
        let script = text(&proxmox(&machine()), "import.sh");
        assert!(script.contains("--scsi1 \"$2:0,import-from=$(pwd)/lun0.qcow2\""), "{script}");
    }

    #[test]
    fn kubevirt_gets_a_container_disk_and_a_machine() {
        let files = kubevirt(&machine());
        assert!(text(&files, "Containerfile").contains("ADD --chown=107:107 os.qcow2 /disk/"));
        let vm: Value = serde_json::from_str(&text(&files, "vm.yaml")).expect("a document");
        assert_eq!(
            vm["spec"]["template"]["spec"]["volumes"][0]["containerDisk"]["image"],
            "REGISTRY/gw-small:1"
        );
        assert_eq!(vm["spec"]["template"]["spec"]["domain"]["devices"]["disks"][1]["name"], "disk-lun0");
    }

    #[test]
    fn containers_are_pinned_and_edge_modules_get_their_defaults() {
        let container = Container {
            urn: "aurora:gw:edge:1.0.0".into(),
            name: "gw-edge".into(),
            image: format!("market.example.org/aurora/gw/edge@sha256:{}", "ab".repeat(32)),
            edge: json!({
                "routes": [["up", "FROM /messages/* INTO $upstream"]], "twin": [["interval", "5"]],
                "env": [["MODE", "<MODE>"]], "createOptions": "{\"HostConfig\":{}}",
            }),
        };
        for (files, name) in
            [(kubernetes(&container), "kubernetes.yaml"), (compose(&container), "compose.yaml")]
        {
            assert!(text(&files, name).contains("@sha256:abab"), "{name}");
        }
        let edge: Value =
            serde_json::from_str(&text(&iot_edge(&container), "deployment.json")).expect("a document");
        let content = &edge["modulesContent"];
        let module = &content["$edgeAgent"]["properties.desired"]["modules"]["gw-edge"];
        assert_eq!(module["settings"]["createOptions"], "{\"HostConfig\":{}}");
        assert_eq!(module["env"]["MODE"]["value"], "<MODE>");
        assert_eq!(content["gw-edge"]["properties.desired"]["interval"], 5);
        assert_eq!(
            content["$edgeHub"]["properties.desired"]["routes"]["up"],
            "FROM /messages/* INTO $upstream"
        );
    }
}
