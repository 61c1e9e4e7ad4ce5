//! What a guest would do and rules might not see: each of these must be found, or be told as undecided.

use super::*;

mod boot;
mod evasions;
mod services;
mod starts;

type Change = fn(&mut Machine);
/// What is hidden, how, and the rule that tells.
type Case = (&'static str, Change, &'static str);

const HASH: &str = "root:abJnggxhB/yWI:19000:0:99999:7:::\n";
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f someone\n";

fn link(machine: &mut Machine, path: &str, target: &'static str) {
    machine.files.insert(path.to_owned(), Made::Link(target));
}

fn person(machine: &mut Machine) {
    machine.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:1000::/home/admin:/bin/bash\n");
    machine.file("etc/group", "root:x:0:\nsudo:x:27:admin\nadmin:x:1000:\n");
}

fn fstab(machine: &mut Machine, line: &str) {
    machine.file("etc/fstab", &format!("LABEL=root / ext4 defaults 0 1\n{line}\n"));
}

fn sshd(machine: &mut Machine, line: &str) {
    machine.file("etc/ssh/sshd_config.d/x.conf", &format!("{line}\n"));
}

fn padded(text: &str) -> String {
    format!("{}{text}", "# padding\n".repeat(110_000))
}

/// Files, links, users and mounts.
const CASES: &[Case] = &[
    ("a password in a padded file", |m| m.file("etc/shadow", &padded(HASH)), "LNX-14"),
    ("keys in a padded file", |m| m.file("root/.ssh/authorized_keys", &padded(KEY)), "LNX-14"),
    (
        "a padded sudoers file",
        |m| {
            person(m);
            m.file("etc/sudoers", &padded("admin ALL=(ALL) NOPASSWD: ALL\n"));
        },
        "LNX-14",
    ),
    (
        "a shadow file elsewhere",
        |m| {
            m.file("var/lib/x/shadow", HASH);
            link(m, "etc/shadow", "/var/lib/x/shadow");
        },
        "INC-11",
    ),
    (
        "an etc elsewhere",
        |m| {
            m.file("opt/e/shadow", HASH);
            link(m, "etc/ssh/sshd_config.d", "/opt/e");
            m.files.remove("etc/ssh/sshd_config.d/alive.conf");
        },
        "INC-11",
    ),
    (
        "a directory of keys elsewhere",
        |m| {
            m.file("opt/s/keys", KEY);
            link(m, "root/.ssh", "/opt/s");
        },
        "INC-11",
    ),
    (
        "a file of keys elsewhere",
        |m| {
            m.file("opt/s", KEY);
            link(m, "root/.ssh/authorized_keys", "/opt/s");
        },
        "INC-11",
    ),
    ("keys in another directory", |m| m.file("srv/keys/authorized_keys", KEY), "LNX-14"),
    (
        "an empty password",
        |m| {
            person(m);
            m.file("etc/shadow", "root:*:19000::::::\nadmin::19000::::::\n");
        },
        "LNX-14",
    ),
    (
        "a key whose comment looks like a stub",
        |m| {
            let line = format!("restrict,pty {} command=\"echo please login as x\"\n", KEY.trim());
            m.file("root/.ssh/authorized_keys", &line);
        },
        "LNX-14",
    ),
    (
        "a key file of sshd",
        |m| m.file("etc/ssh/sshd_config.d/a.conf", "AuthorizedKeysFile /etc/keys/%u\n"),
        "LNX-14",
    ),
    (
        "a key of a CA",
        |m| m.file("etc/ssh/sshd_config.d/a.conf", "TrustedUserCAKeys /etc/ca.pub\n"),
        "LNX-14",
    ),
    (
        "keys that are written at the start",
        |m| m.file("usr/lib/tmpfiles.d/x.conf", "f /root/.ssh/authorized_keys 0600 root root - key\n"),
        "LNX-14",
    ),
    ("a record of a user", |m| m.file("etc/userdb/x.user", "{}\n"), "LNX-14"),
    ("a home of a user", |m| m.file("var/lib/systemd/home/x.identity", "{}\n"), "LNX-14"),
    (
        "data of cloud-init elsewhere",
        |m| m.file("opt/seed/user-data", "chpasswd: {list: [root:x]}\n"),
        "LNX-14",
    ),
    (
        "a place of such data",
        |m| m.file("etc/cloud/cloud.cfg.d/9.cfg", "NoCloud:\n  seedfrom: /opt/\n"),
        "LNX-14",
    ),
    (
        "a user by Ignition",
        |m| m.file("usr/lib/ignition/user.ign", "{\"passwd\": {\"users\": []}}\n"),
        "LNX-14",
    ),
    (
        "a terminal without a question",
        |m| {
            let path = "etc/systemd/system/getty@tty1.service.d/x.conf";
            m.file(path, "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root %I\n");
        },
        "LNX-14",
    ),
    (
        "an account that tmpfiles writes",
        |m| m.file("usr/local/lib/tmpfiles.d/x.conf", "w+ /etc//passwd - - - - toor::0:0::/root:/bin/sh\n"),
        "LNX-14",
    ),
    (
        "rights that tmpfiles writes",
        |m| m.file("etc/tmpfiles.d/x.conf", "f /etc/sudoers.d/x 0440 root root - x ALL=(ALL) NOPASSWD:ALL\n"),
        "LNX-14",
    ),
    (
        "a password by cloud-init",
        |m| m.file("etc/cloud/cloud.cfg.d/x.cfg", "users:\n  - {name: x, plain_text_passwd: y}\n"),
        "LNX-14",
    ),
    (
        "a seed of cloud-init",
        |m| m.file("var/lib/cloud/seed/nocloud/user-data", "#cloud-config\nchpasswd:\n  list: root:x\n"),
        "LNX-14",
    ),
    ("cloud-init that is off", |m| m.file("etc/cloud/cloud-init.disabled", ""), "LNX-02"),
    (
        "cloud-init without a source",
        |m| m.file("etc/cloud/cloud.cfg", "datasource_list: [ None ]\n"),
        "LNX-02",
    ),
    (
        "the number of a user in sudoers",
        |m| {
            person(m);
            m.file("etc/sudoers", "#1000 ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "an included directory of sudoers elsewhere",
        |m| m.file("etc/sudoers", "@includedir /opt/sudo\n"),
        "LNX-14",
    ),
    (
        "settings of sudo",
        |m| {
            person(m);
            m.file("etc/sudoers", "admin ALL=(ALL) ALL\nDefaults:admin !authenticate\n");
        },
        "LNX-14",
    ),
    (
        "a line of sudoers that goes on",
        |m| {
            person(m);
            m.file("etc/sudoers", "admin ALL=(ALL) \\\n NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "an alias of sudoers",
        |m| {
            person(m);
            m.file("etc/sudoers", "User_Alias ADMINS = admin, other\nADMINS ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "a group of sudoers with a member",
        |m| {
            person(m);
            m.file("etc/sudoers", "%sudo ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "a mount of an unknown device",
        |m| m.file("etc/fstab", "/dev/disk/by-path/x-part2 /var ext4 defaults 0 2\n"),
        "INC-11",
    ),
    ("a bind mount", |m| m.file("etc/fstab", "/opt/e /etc none bind 0 0\n"), "INC-11"),
    ("a file that is mounted", |m| m.file("etc/fstab", "/opt/x.img /srv ext4 loop 0 0\n"), "INC-11"),
    (
        "a mount under an escaped name",
        |m| {
            m.second = true;
            m.file("etc/fstab", "LABEL=root / ext4 defaults 0 1\nLABEL=home /./v\\141r ext4 defaults 0 2\n");
        },
        "LNX-05",
    ),
    (
        "a table of mounts elsewhere",
        |m| {
            m.file("opt/fstab", "/opt/e /etc none bind 0 0\n");
            link(m, "etc/fstab", "/opt/fstab");
        },
        "INC-11",
    ),
    (
        "a unit that mounts",
        |m| m.file("etc/systemd/system/var-lib.mount", "[Mount]\nWhat=/dev/sda2\n"),
        "INC-11",
    ),
    ("a unit of swap", |m| m.file("etc/systemd/system/swapfile.swap", "[Swap]\nWhat=/swapfile\n"), "LNX-04"),
    ("swap under an escaped name", |m| m.file("etc/fstab", "/x none sw\\141p sw 0 0\n"), "LNX-04"),
    ("a database of packages elsewhere", |m| link(m, "var/lib/dpkg/status", "/opt/status"), "INC-11"),
    ("a masked server", |m| link(m, "etc/systemd/system/ssh.service", "/dev/null"), "LNX-16"),
    (
        "a package that is not configured",
        |m| {
            let record = "Package: leaky\nStatus: install ok unpacked\nVersion: 1.0\nArchitecture: amd64\n";
            m.file("var/lib/dpkg/status.d/leaky", record);
        },
        "CTR-22",
    ),
    (
        "a system in a directory",
        |m| {
            let record = "Package: leaky\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n";
            m.file("var/lib/docker/overlay2/1/diff/usr/lib/os-release", "ID=debian\nVERSION_ID=12\n");
            m.file("var/lib/docker/overlay2/2/diff/var/lib/dpkg/status", record);
        },
        "CTR-22",
    ),
    (
        "a system in an archive that does not say what it is",
        |m| {
            let record = b"Package: leaky\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n";
            m.bytes_of("opt/images/app.tar", crate::records::tar("./var/lib/dpkg/status", record));
        },
        "INC-07",
    ),
    ("what dpkg has not yet written down", |m| m.file("var/lib/dpkg/updates/0000", "Package: x\n"), "INC-08"),
    ("history of a database client", |m| m.file("root/.psql_history", "select 1\n"), "LNX-01"),
    (
        "an older agent beside a newer one",
        |m| {
            m.packages.remove("cloud-init");
            m.file("usr/sbin/waagent", "#!/usr/bin/python3\n");
            m.file("etc/waagent.conf", "AutoUpdate.Enabled=n\n");
            m.file("usr/lib/python0/azurelinuxagent/common/version.py", "AGENT_VERSION = '9.9.9.9'\n");
            m.file("usr/lib/python3/azurelinuxagent/common/version.py", "AGENT_VERSION = '2.0.5'\n");
        },
        "LNX-02",
    ),
    (
        "a changed program of two names",
        |m| {
            m.bytes_of("opt/first", elf(2));
            m.files.insert("usr/bin/tool".to_owned(), Made::Hard("opt/first"));
            let digest = "0123456789abcdef".repeat(2);
            m.file("var/lib/dpkg/info/bash.md5sums", &format!("{digest}  usr/bin/tool\n"));
        },
        "PKG-06",
    ),
    (
        "a service that may do everything",
        |m| {
            m.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nx:x:105:110::/:/usr/sbin/nologin\n");
            m.file("etc/sudoers", "x ALL=(ALL) NOPASSWD: /bin/true, ALL\n");
        },
        "LNX-14",
    ),
    (
        "a service that may do more behind a colon",
        |m| {
            m.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nx:x:105:110::/:/usr/sbin/nologin\n");
            m.file("etc/sudoers", "x ALL=NOPASSWD: /bin/true : ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    ("keys in a file with a sign", |m| sshd(m, "AuthorizedKeysFile .ssh/authorized_keys \"#k\""), "LNX-14"),
    (
        "keys that a bind mount brings",
        |m| fstab(m, "/opt/k /home/admin/.ssh/authorized_keys none bind 0 0"),
        "INC-11",
    ),
    (
        "a grant behind a comment",
        |m| {
            person(m);
            m.file("etc/sudoers", "# note \\\nadmin ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "a grant that goes on behind blanks",
        |m| {
            person(m);
            m.file("etc/sudoers", "admin ALL=(ALL) \\  \nNOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "a name with a byte in hexadecimal",
        |m| {
            person(m);
            m.file("etc/sudoers", "adm\\x69n ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "settings with a blank in them",
        |m| {
            person(m);
            m.file("etc/sudoers", "admin ALL=(ALL) ALL\nDefaults ! authenticate\n");
        },
        "LNX-14",
    ),
    (
        "a group that is asked for nothing",
        |m| {
            person(m);
            m.file("etc/sudoers", "%sudo ALL=(ALL) ALL\nDefaults exempt_group=sudo\n");
        },
        "LNX-14",
    ),
    (
        "a grant in what an included file includes",
        |m| {
            person(m);
            m.file("etc/sudoers", "@include /etc/a\n");
            m.file("etc/a", "@include /etc/b\n");
            m.file("etc/b", "admin ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "a password that doas does not ask for",
        |m| {
            person(m);
            m.file("etc/doas.conf", "permit nopass admin\n");
        },
        "LNX-14",
    ),
    (
        "a module behind a comment",
        |m| m.file("etc/pam.d/sshd", "# note \\\nauth sufficient pam_permit.so\nauth required pam_deny.so\n"),
        "LNX-14",
    ),
    (
        "an included file with a blank in its name",
        |m| {
            m.file("etc/ssh/a b.conf", "AuthorizedKeysFile /opt/k\n");
            sshd(m, "Include \"/etc/ssh/a b.conf\"");
        },
        "LNX-14",
    ),
    (
        "an included file in single quotes",
        |m| {
            m.file("etc/ssh/evil", "AuthorizedKeysFile /opt/k\n");
            sshd(m, "Include '/etc/ssh/evil'");
        },
        "LNX-14",
    ),
    (
        "an included file that is hidden",
        |m| {
            m.file("etc/ssh/.x1", "AuthorizedKeysFile /opt/k\n");
            sshd(m, "Include /etc/ssh/.x*");
        },
        "LNX-14",
    ),
    (
        "keys that the server is started with",
        |m| m.file("etc/default/ssh", "SSHD_OPTS=-oAuthorizedKeysFile=/opt/k\n"),
        "LNX-14",
    ),
    (
        "a file system of other things",
        |m| fstab(m, "LABEL=root /etc/ssh overlay lowerdir=/opt/e:/opt/f 0 0"),
        "INC-11",
    ),
    (
        "a mount through the kernel's links",
        |m| fstab(m, "/opt/e /proc/net/../root/etc/ssh none bind 0 0"),
        "INC-11",
    ),
    (
        "a mount over what is configured for one start",
        |m| fstab(m, "/opt/e /run/systemd/network none bind 0 0"),
        "INC-11",
    ),
    (
        "jobs below another home",
        |m| m.file("etc/crontab", "HOME=/opt/e\n* * * * * root run-parts cron.hourly\n"),
        "LNX-26",
    ),
    ("a job that is called as a number", |m| m.file("etc/crontab", "* * * * * root 1\n"), "LNX-26"),
    ("nothing over what is there", |m| fstab(m, "tmpfs /etc/pam.d tmpfs defaults 0 0"), "INC-11"),
    ("a mount without a kind", |m| fstab(m, "LABEL=evil /etc/pam.d"), "INC-11"),
    (
        "a service that includes what is elsewhere",
        |m| m.file("etc/pam.d/sshd", "auth include ../../opt/evil\n"),
        "LNX-14",
    ),
    (
        "a sudoers file that includes what is elsewhere",
        |m| m.file("etc/sudoers", "@include /etc/../opt/evil\n"),
        "LNX-14",
    ),
    ("keys under a quoted word", |m| sshd(m, "\"AuthorizedKeysFile\" /opt/k"), "LNX-14"),
    ("keys under a word with quotes in it", |m| sshd(m, "Authorized\"KeysFile\" /opt/k"), "LNX-14"),
    ("keys that a program tells", |m| sshd(m, "AuthorizedKeysCommand /bin/cat /opt/k"), "LNX-14"),
    (
        "a service of PAM with another name",
        |m| {
            sshd(m, "PAMServiceName x");
            m.file("etc/pam.d/x", "auth sufficient pam_permit.so\n");
        },
        "LNX-14",
    ),
    (
        "keys of a home in documentation",
        |m| m.file("usr/share/doc/admin/.ssh/authorized_keys", KEY),
        "LNX-14",
    ),
    (
        "an escaped name in sudoers",
        |m| {
            person(m);
            m.file("etc/sudoers", "adm\\in ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "lists in lists of sudoers",
        |m| {
            person(m);
            let lists: String =
                (1..20).map(|at| format!("User_Alias A{at} = A{at},A{at},A{}\n", at - 1)).collect();
            m.file("etc/sudoers", &format!("User_Alias A0 = admin\n{lists}A19 ALL=NOPASSWD: ALL\n"));
        },
        "LNX-14",
    ),
    (
        "a person with the number of a service",
        |m| {
            let people = "svc:x:105:105::/:/usr/sbin/nologin\nhuman:x:105:105::/home/h:/bin/bash\n";
            m.file("etc/passwd", &format!("root:x:0:0:root:/root:/bin/bash\n{people}"));
            m.file("etc/sudoers", "svc ALL=NOPASSWD: /usr/sbin/smartctl\n");
        },
        "LNX-14",
    ),
    (
        "a service with an interpreter",
        |m| {
            m.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nsvc:x:105:105::/:/usr/sbin/nologin\n");
            m.file("etc/sudoers", "Cmnd_Alias C = /usr/bin/python3.11\nsvc ALL=NOPASSWD: C\n");
        },
        "LNX-14",
    ),
    (
        "a second value of a key of netplan",
        |m| {
            let text = "network: {ethernets: {eth0: {dhcp4: true, dhcp4: true, \"addres\\x73es\": [192.0.2.5/24]}}}\n";
            m.file("etc/netplan/x.yaml", text);
        },
        "LNX-17",
    ),
    (
        "an exported address",
        |m| {
            let text = "BOOTPROTO=dhcp\nexport BOOTPROTO=none IPADDR=192.0.2.5\n";
            m.file("etc/sysconfig/network-scripts/ifcfg-eth1", text);
        },
        "LNX-17",
    ),
    (
        "a crontab of a user called as a place",
        |m| m.file("var/spool/cron/crontabs/atlas", "* * * * * x\n"),
        "LNX-26",
    ),
    ("a job that is a path", |m| m.file("etc/crontab", "* * * * * root /1\n"), "LNX-26"),
    ("crontabs elsewhere", |m| link(m, "var/spool/cron/crontabs", "/opt/c"), "INC-11"),
    ("keys that are mounted", |m| fstab(m, "/srv/k /root/.ssh/authorized_keys none bind 0 0"), "INC-11"),
    ("a bind mount of another kind", |m| fstab(m, "/opt/e /etc tmpfs bind 0 0"), "INC-11"),
    (
        "a mount behind a link",
        |m| {
            link(m, "mnt/a/b/c/x", "/etc");
            fstab(m, "/opt/e /mnt/a/b/c/x none bind 0 0");
        },
        "INC-11",
    ),
    ("a mount behind a process", |m| fstab(m, "/opt/e /proc/1/root/etc none bind 0 0"), "INC-11"),
    ("the root once more", |m| fstab(m, "LABEL=root /etc/ssh ext4 defaults 0 0"), "INC-11"),
    ("a part of a volume", |m| fstab(m, "LABEL=root /usr/lib ext4 X-mount.subdir=opt/e 0 0"), "INC-11"),
    ("a volume that nobody is called", |m| fstab(m, "LABEL=EVIL /etc/ssh vfat defaults 0 0"), "INC-11"),
    ("a device by a name of its own", |m| fstab(m, "/dev/sdz /etc/ssh ext4 defaults 0 0"), "INC-11"),
    ("a directory of a server", |m| fstab(m, "evil.example.org:/x /etc/ssh nfs defaults 0 0"), "INC-11"),
    (
        "a mount that systemd starts",
        |m| fstab(m, "/opt/e /etc/ssh none bind,noauto,x-systemd.wanted-by=local-fs.target 0 0"),
        "INC-11",
    ),
    (
        "a drop-in of every mount",
        |m| {
            m.file("etc/systemd/system/mount.d/x.conf", "[Mount]\nWhat=/opt/e\nType=none\nOptions=bind\n");
        },
        "INC-11",
    ),
    (
        "a drop-in of what the table mounts",
        |m| {
            fstab(m, "nfs1:/x /srv/x nfs defaults 0 0");
            m.file("etc/systemd/system/srv-.mount.d/x.conf", "[Mount]\nWhat = /opt/e\nType=none\n");
        },
        "INC-11",
    ),
    (
        "a drop-in of a package",
        |m| m.file("usr/lib/systemd/system/etc-ssh.mount.d/x.conf", "[Mount]\nWhat=/opt/e\n"),
        "INC-11",
    ),
    (
        "a unit of a package",
        |m| m.file("usr/lib/systemd/system/etc-ssh.mount", "[Mount]\nWhat=/opt/e\n"),
        "INC-11",
    ),
    (
        "a unit of systemctl",
        |m| m.file("etc/systemd/system.control/etc-ssh.mount", "[Mount]\nWhat=/opt/e\n"),
        "INC-11",
    ),
    (
        "a link that seems to mask a unit",
        |m| {
            link(m, "etc/systemd/system/a.wants/etc-ssh.mount", "/dev/null");
            m.file("etc/systemd/system/etc-ssh.mount", "[Mount]\nWhat=/opt/e\nOptions=bind\n");
        },
        "INC-11",
    ),
    (
        "a unit before the one that is masked",
        |m| {
            link(m, "etc/systemd/system/etc-ssh.mount", "/dev/null");
            m.file("etc/systemd/system.control/etc-ssh.mount", "[Mount]\nWhat=/opt/e\nOptions=bind\n");
        },
        "INC-11",
    ),
    (
        "a unit whose line goes on",
        |m| {
            let text = "[Mount]\nWhat=/opt/e\nOptions=bind\nX-Note=\\\nWhat=nfs1:/x\n";
            m.file("etc/systemd/system/srv.mount", text);
            m.file("etc/systemd/system/etc.mount", text);
        },
        "INC-11",
    ),
    (
        "a unit with another section",
        |m| m.file("etc/systemd/system/etc.mount", "[Mount]\nWhat=/opt/e\nOptions=bind\n[X-Any]\nType=nfs\n"),
        "INC-11",
    ),
    (
        "a unit with a part elsewhere",
        |m| {
            m.file("etc/systemd/system/etc.mount", "[Mount]\nWhat=nfs1:/x\nType=nfs\n");
            m.file(
                "etc/systemd/system/etc.mount.d/x.conf",
                "[Mount]\nWhat=/opt/e\nType=none\nOptions=bind\n",
            );
        },
        "INC-11",
    ),
    (
        "a unit with a word that stands for another",
        |m| m.file("etc/systemd/system/etc.mount", "[Mount]\nWhat=/dev/disk/by-label/%p\n"),
        "INC-11",
    ),
    ("a directory of jobs elsewhere", |m| link(m, "etc/cron.d", "/opt/jobs"), "INC-11"),
    ("a job that is called as a package's", |m| m.file("etc/cron.daily/certbot", "#!/bin/sh\n"), "LNX-26"),
    (
        "a kernel that is called a test of memory",
        |m| {
            m.bytes_of("boot/memtest86-x", kernel());
            let entry =
                "menuentry 'x' {\n\tlinux /boot/memtest86-x root=LABEL=root ip=192.0.2.5::192.0.2.1\n}\n";
            m.file("boot/loader/entries/x.cfg", entry);
        },
        "LNX-17",
    ),
    (
        "an interface that is called as a list of servers",
        |m| {
            m.file(
                "etc/netplan/x.yaml",
                "network: {ethernets: {nameservers: {match: {name: x}, addresses: [192.0.2.5/24]}}}\n",
            )
        },
        "LNX-17",
    ),
    (
        "a part of a bond that is none",
        |m| {
            m.file(
                "etc/sysconfig/network-scripts/ifcfg-eth0",
                "BOOTPROTO=none\nMASTER=\nSLAVE=no\nIPADDR0=192.0.2.5\n",
            )
        },
        "LNX-17",
    ),
    ("a job behind a link", |m| link(m, "etc/cron.daily/man-db", "/opt/job"), "LNX-26"),
    (
        "a mount of a unit over what is there",
        |m| m.file("etc/systemd/system/etc.mount", "[Mount]\nWhat=/opt/e\nOptions=bind\n"),
        "INC-11",
    ),
];

#[test]
fn what_is_hidden_from_rules_is_found_or_told_as_undecided() {
    let mut wrong = Vec::new();
    for (what, change, rule) in CASES.iter().chain(boot::CASES).chain(services::CASES) {
        let mut machine = Machine::clean();
        change(&mut machine);
        let Some(verdict) = machine.inspect() else { return };
        let rules: Vec<&str> = verdict.findings.iter().map(|finding| finding.rule.as_str()).collect();
        if !rules.contains(rule) {
            wrong.push(format!("{what}: {rules:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_images_usually_have_is_not_taken_for_hidden() {
    let mut machine = Machine::clean();
    person(&mut machine);
    machine.file("etc/shadow", "root:*:19000::::::\nadmin:!:19000::::::\n");
    machine.file("etc/group", "root:x:0:\nsudo:x:27:\n");
    machine.file(
        "etc/sudoers",
        "Defaults env_reset\n%sudo ALL=(ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n",
    );
    machine.file(
        "etc/fstab",
        "LABEL=root / ext4 defaults,x-systemd.growfs 0 1\ntmpfs /tmp tmpfs nosuid 0 0\n/tmp /var/tmp none bind 0 0\n\
         /dev/disk/cloud/azure_resource-part1 /mnt auto defaults,nofail 0 2\nserver:/x /srv/x nfs ro 0 0\n\
         UUID=aaaa /data ext4 nofail 0 2\n/dev/sdb1 /data2 ext4 nofail 0 2\n/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n",
    );
    link(&mut machine, "root/.bash_history", "/dev/null");
    link(&mut machine, "etc/systemd/system/tmp.mount", "/dev/null");
    machine
        .file("etc/systemd/system/snap-core20-1.mount", "[Mount]\nWhat=/var/lib/snapd/snaps/core20_1.snap\n");
    machine.file(
        "etc/cloud/cloud.cfg",
        "users:\n  - default\ndisable_root: true\ncloud_init_modules:\n  - set-passwords\n  - ssh-import-id\nsystem_info:\n  default_user:\n    lock_passwd: True\n    sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n  ssh_svcname: ssh\n",
    );
    machine.file(
        "etc/cloud/cloud.cfg.d/90_dpkg.cfg",
        "datasource_list: [ NoCloud, ConfigDrive, Azure, None ]\n",
    );
    machine.file(
        "usr/lib/tmpfiles.d/provision.conf",
        "d- /root/.ssh :0700 root :root -\nf^ /root/.ssh/authorized_keys - - - - ssh.authorized_keys.root\n",
    );
    machine.bytes_of("etc/udev/hwdb.bin", vec![7; 2 << 20]);
    services::usual(&mut machine);
    boot::usual(&mut machine);
    let Some(verdict) = machine.inspect() else { return };
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.outcome(), Judged::Pass);
}

#[test]
fn what_distributions_and_packages_bring_is_not_taken_for_faults() {
    let mut machine = Machine::clean();
    for (path, target) in [
        ("usr/share/man/man5/authorized_keys.5.gz", "../man8/sshd.8.gz"),
        ("etc/systemd/system/dev-sda2.swap", "/dev/null"),
        ("etc/systemd/system/dropbear.service", "/dev/null"),
        ("etc/udev/rules.d/75-persistent-net-generator.rules", "/dev/null"),
    ] {
        link(&mut machine, path, target);
    }
    for (path, text) in [
        ("usr/lib/udev/rules.d/75-persistent-net-generator.rules", "ACTION!=\"add\", GOTO=\"end\"\n"),
        ("etc/udev/rules.d/70-persistent-net.rules", "# nothing is written here\n"),
        ("etc/sysconfig/network-scripts/ifcfg-eth0.rpmnew", "BOOTPROTO=none\nIPADDR=192.0.2.5\n"),
        ("etc/sysconfig/network-scripts/ifcfg-eth1", "BOOTPROTO=none\nMASTER=bond0\nSLAVE=yes\n"),
        ("etc/cron.daily/quota", "#!/bin/sh\n"),
        ("var/log/hawkey.log", "INFO\n"),
        ("var/log/zypp/history", "# packages\n"),
        ("usr/lib/tmpfiles.d/shadow.conf", "z /etc/shadow 0640 root shadow -\n"),
        ("usr/lib/tmpfiles.d/credstore.conf", "d /etc/credstore 0700 root root\n"),
        (
            "etc/systemd/system/getty@tty1.service.d/x.conf",
            "ExecStart=-/sbin/agetty -o '-p -- \\u' --noclear %I\n",
        ),
        ("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nClientAliveInterval 180\n"),
        ("etc/ssh/sshd_config.d/alive.conf", "Match Group sftp\nForceCommand internal-sftp\n"),
        (
            "etc/systemd/system/var-snap-x-common.mount",
            "[Mount]\nWhat=/usr/share/hunspell\nType=none\nOptions=bind\n",
        ),
        (
            "etc/systemd/system/srv-data.mount",
            "[Unit]\nDescription=100% data\n# of \\\n[Mount]\nWhat=/dev/disk/by-label/data\n",
        ),
        ("etc/systemd/system/var-log.mount.d/x.conf", "[Mount]\nOptions=nodev\n"),
        ("etc/systemd/system/srv-data.mount.d/order.conf", "[Unit]\nAfter=network.target\n"),
        ("etc/systemd/system/srv-export.mount", "[Mount]\nWhat=/home\nOptions=bind\n"),
        ("etc/systemd/system/srv-nfs.mount", "[Mount]\nWhat=nfs1:/x\nType=nfs\n"),
        (
            "etc/fstab",
            "LABEL=root / ext4 defaults 0 1\nfs:/x /data glusterfs defaults 0 0\n/home /srv/nfs4/home none bind 0 0\n\
             nfsd /proc/fs/nfsd nfsd defaults 0 0\nLABEL=more /var/lib/docker ext4 nofail 0 2\n",
        ),
        (
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nceph:x:64045:64045::/var/lib/ceph:/usr/sbin/nologin\n\
             zabbix:x:105:110::/nonexistent:/usr/sbin/nologin\noperator:x:1000:1000::/home/operator:/bin/bash\n",
        ),
        (
            "etc/sudoers",
            "Cmnd_Alias DISKS = /usr/sbin/smartctl -a /dev/*, /usr/sbin/nvme list\nzabbix ALL=NOPASSWD: NOEXEC: DISKS\n",
        ),
        ("etc/ssh/sshd_config.d/keys.conf", "AuthorizedKeysFile .ssh/authorized_keys # of users\n"),
        ("boot/grub/custom.cfg", "menuentry 'Rescue' {\n\tlinux /boot/vmlinuz-6.1.0-31-amd64 single\n}\n"),
        (
            "etc/netplan/50-cloud-init.yaml",
            "network: {ethernets: {eth0: {dhcp4: true, nameservers: {addresses: [192.0.2.53]}}}}\n",
        ),
        ("usr/lib/modules/4.19.0-27-amd64/modules.dep", "kernel/x.ko:\n"),
    ] {
        machine.file(path, text);
    }
    machine.packages.insert("quota", "4.06-1");
    // What moved from `sbin` to `bin`.
    machine.files.remove("usr/sbin/sshd");
    machine.bytes_of("usr/bin/sshd", elf(2));
    link(&mut machine, "usr/sbin", "bin");
    let grub = match machine.files.get("boot/grub/grub.cfg") {
        Some(Made::File(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let memory = "menuentry 'Memory test' {\n\tlinux /boot/memtest86+x64.bin console=ttyS0,115200\n}\n";
    machine.file("boot/grub/grub.cfg", &(grub + memory));
    machine.bytes_of("boot/memtest86+x64.bin", kernel());
    let rescue =
        format!("title Debian (0-rescue)\nlinux /boot/vmlinuz-{KERNEL}\noptions root=LABEL=root ro\n");
    machine.file("boot/loader/entries/0f-0-rescue.conf", &rescue);
    let usual =
        format!("title Debian\nlinux /boot/vmlinuz-{KERNEL}\noptions root=LABEL=root ro {}\n", boot::CALM);
    machine.file(&format!("boot/loader/entries/0f-{KERNEL}.conf"), &usual);
    machine.file(
        "etc/systemd/system/ssh.service.d/x.conf",
        "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\nRestartSec=42s\n",
    );
    machine.file(
        "etc/sudo.conf",
        "Plugin sudoers_policy sudoers.so sudoers_mode=0440\nSet disable_coredump true\n",
    );
    machine.file("etc/doas.conf", "permit persist :wheel\npermit nopass \\\n keepenv root\n");
    machine.file(
        "etc/default/ssh",
        "# Options of sshd, such as -f FILE\nSSHD_OPTS=\"-4 -o ClientAliveInterval=180\"\n",
    );
    let Some(verdict) = machine.inspect() else { return };
    let told: Vec<&str> = verdict.findings.iter().map(|finding| finding.rule.as_str()).collect();
    // Who reads the report shall know which services may use sudo.
    assert_eq!(told, ["LNX-14-ADVICE"], "{:?}", verdict.findings);
    assert_eq!(verdict.outcome(), Judged::Pass);
}

#[test]
fn of_two_systems_on_one_disk_none_is_passed_unseen() {
    let mut machine = Machine::clean();
    machine.second = true;
    let directory = tempfile::tempdir().expect("a directory");
    let (source, decoy) = (directory.path().join("decoy"), directory.path().join("decoy.img"));
    fs::create_dir_all(source.join("etc")).expect("made");
    fs::write(source.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("written");
    let Some(mut disk) = machine.disk(directory.path()) else { return };
    mke2fs(&source, &decoy, "home", 8 * MIB).expect("made");
    copy(&decoy, &mut disk, 32 * MIB);
    let disk: Arc<dyn ReadAt> = Arc::new(FileReadAt::new(disk).expect("a file"));
    let facts = facts(Format::Raw, disk.size());
    let verdict = machine.judge(disk, facts);
    assert!(verdict.findings.iter().any(|finding| finding.rule == "INC-11"), "{:?}", verdict.findings);
    assert_eq!(verdict.outcome(), Judged::Inconclusive);
}
