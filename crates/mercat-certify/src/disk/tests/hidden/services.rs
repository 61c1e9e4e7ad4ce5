//! What services read: networks, sshd, jobs and PAM.

use super::boot::CALM;
use super::*;

pub(super) const CASES: &[Case] = &[
    (
        "an address in a file that adds to another",
        |m| m.file("etc/systemd/network/10-x.network.d/a.conf", "[Network]\nAddress=10.0.0.5/24\n"),
        "LNX-17",
    ),
    (
        "an address where packages have them",
        |m| m.file("usr/lib/systemd/network/10-x.network", "[Network]\nAddress\\\n=10.0.0.5/24\n"),
        "LNX-17",
    ),
    (
        "an address of netplan where packages have them",
        |m| m.file("usr/lib/netplan/x.yaml", "{network: {ethernets: {ens3: {addresses: [10.0.0.5/24]}}}}\n"),
        "LNX-17",
    ),
    (
        "an address of netplan behind a link",
        |m| {
            m.file("etc/x", "network:\n  ethernets:\n    ens3:\n      addresses: [10.0.0.5/24]\n");
            link(m, "etc/netplan/x.yaml", "/etc/x");
        },
        "LNX-17",
    ),
    ("a table of netplan elsewhere", |m| link(m, "etc/netplan/x.yaml", "/opt/x"), "INC-11"),
    (
        "an address of NetworkManager where packages have them",
        |m| {
            m.file(
                "usr/lib/NetworkManager/system-connections/x",
                "[ipv4]\nmethod = manual\naddress1=10.0.0.5/24\n",
            )
        },
        "LNX-17",
    ),
    (
        "an address on the kernel command line",
        |m| m.command_line(&format!("{CALM} ip=10.0.0.5::10.0.0.1:255.255.255.0::eth0:none")),
        "LNX-17",
    ),
    (
        "settings of sshd elsewhere",
        |m| m.file("etc/ssh/sshd_config.d/a.conf", "Include /opt/ssh/*.conf\n"),
        "INC-11",
    ),
    (
        "settings of sshd behind a link",
        |m| {
            m.file("etc/ssh/sshd_config.d/a.conf", "Include /etc/s/x.conf\n");
            link(m, "etc/s", "/opt/s");
        },
        "INC-11",
    ),
    (
        "settings of sshd by another pattern",
        |m| m.file("etc/ssh/sshd_config.d/a.conf", "Include /etc/s/[x]?.conf\n"),
        "INC-11",
    ),
    ("a host key of dropbear", |m| m.file("etc/dropbear/dropbear_rsa_host_key", "key\n"), "LNX-13"),
    (
        "a sudoers file behind a link",
        |m| {
            person(m);
            m.file("etc/x", "admin ALL=(ALL) NOPASSWD: ALL\n");
            link(m, "etc/sudoers.d/x", "/etc/x");
        },
        "LNX-14",
    ),
    (
        "a sudoers file behind a directory that is a link",
        |m| {
            m.file("etc/sudoers.d/x", "@include /etc/x/y\n");
            link(m, "etc/x", "/srv/x");
            m.file("srv/x/y", "admin ALL=(ALL) NOPASSWD: ALL\n");
        },
        "LNX-14",
    ),
    (
        "doas in a file of a directory",
        |m| {
            person(m);
            m.file("etc/doas.d/x.conf", "permit nopass :sudo\n");
        },
        "LNX-14",
    ),
    (
        "doas in a line that goes on",
        |m| {
            person(m);
            m.file("etc/doas.conf", "permit \\\n nopass :sudo\n");
        },
        "LNX-14",
    ),
    (
        "a configuration of sshd by an option",
        |m| m.file("etc/default/ssh", "SSHD_OPTS='-4f\t/opt/x'\n"),
        "LNX-14",
    ),
    (
        "another directory in place of that of sshd",
        |m| m.file("etc/systemd/system/ssh.service.d/x.conf", "[Service]\nBindPaths=/srv/x:/etc/ssh\n"),
        "LNX-14",
    ),
    (
        "a configuration of sshd by its unit",
        |m| {
            m.file(
                "etc/systemd/system/sshd.service",
                "[Service]\nExecStart=/usr/sbin/sshd -D \\\n -f /opt/x\n",
            )
        },
        "LNX-14",
    ),
    (
        "another sudoers file",
        |m| m.file("etc/sudo.conf", "Plugin sudoers_policy sudoers.so sudoers_file=/opt/x\n"),
        "LNX-14",
    ),
    ("another program than sudoers", |m| m.file("etc/sudo.conf", "Plugin x /opt/x.so\n"), "LNX-14"),
    ("a credential of systemd", |m| m.file("usr/lib/credstore/passwd.hashed-password.root", "x"), "LNX-14"),
    ("a shell for init", |m| m.command_line(&format!("{CALM} init=/bin/sh")), "LNX-14"),
    ("a shell for everybody", |m| m.command_line(&format!("{CALM} systemd.debug-shell")), "LNX-14"),
    (
        "a credential on the kernel command line",
        |m| m.command_line(&format!("{CALM} systemd.set_credential=passwd.hashed-password.root:x")),
        "LNX-14",
    ),
    (
        "a command on the kernel command line",
        |m| m.command_line(&format!("{CALM} systemd.run=/opt/x")),
        "LNX-26",
    ),
    (
        "a mount on the kernel command line",
        |m| m.command_line(&format!("{CALM} systemd.mount-extra=/srv/e:/etc:none:bind")),
        "INC-11",
    ),
    ("an extension of the system", |m| m.file("var/lib/extensions/x.raw", "x"), "INC-11"),
    ("an extension of the configuration", |m| m.file("etc/confexts/x/etc/shadow", "x"), "INC-11"),
    (
        "a job in the table of the system",
        |m| m.file("etc/crontab", "* * * * * root php /srv/x.php\n"),
        "LNX-26",
    ),
    ("a job of anacron", |m| m.file("etc/anacrontab", "1 5 x /opt/x\n"), "LNX-26"),
    ("a job of Alpine", |m| m.file("etc/periodic/daily/x", "#!/usr/bin/lua\n"), "LNX-26"),
    ("a timer elsewhere", |m| link(m, "etc/systemd/system/x.timer", "/opt/x.timer"), "LNX-26"),
    ("everybody by PAM", |m| m.file("etc/pam.d/sshd", "auth sufficient pam_permit.so\n"), "LNX-14"),
    ("a stack of PAM elsewhere", |m| m.file("etc/pam.d/sshd", "auth include /opt/x\n"), "LNX-14"),
];

/// Networks, jobs and PAM as distributions set them up.
pub(super) fn usual(machine: &mut Machine) {
    for (path, text) in [
        ("etc/netplan/50-cloud-init.yaml", "network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true}\n"),
        (
            "usr/lib/netplan/00-network-manager-all.yaml",
            "network:\n  version: 2\n  renderer: NetworkManager\n",
        ),
        (
            "usr/lib/systemd/network/80-container-ve.network",
            "[Network]\nAddress=0.0.0.0/28\nDHCPServer=yes\n",
        ),
        ("etc/NetworkManager/system-connections/x.nmconnection", "[ipv4]\nmethod=auto\n"),
        ("etc/crontab", "SHELL=/bin/sh\n17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"),
        ("etc/anacrontab", "RANDOM_DELAY=45\n1 5 cron.daily nice run-parts /etc/cron.daily\n"),
        (
            "etc/pam.d/common-auth",
            "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n",
        ),
        ("etc/pam.d/sshd", "@include common-auth\naccount required pam_nologin.so\n"),
        ("etc/pam.d/su", "auth sufficient pam_rootok.so\n@include common-auth\n"),
        (
            "etc/ssh/sshd_config.d/50.conf",
            "Include /etc/crypto-policies/back-ends/opensshserver.config\nInclude /etc/no/*.conf\n",
        ),
        ("usr/share/crypto-policies/DEFAULT/opensshserver.txt", "Ciphers aes256-ctr\n"),
    ] {
        machine.file(path, text);
    }
    let policy = "/usr/share/crypto-policies/DEFAULT/opensshserver.txt";
    link(machine, "etc/crypto-policies/back-ends/opensshserver.config", policy);
    let timer = "etc/systemd/system/timers.target.wants/logrotate.timer";
    link(machine, timer, "/usr/lib/systemd/system/logrotate.timer");
}
