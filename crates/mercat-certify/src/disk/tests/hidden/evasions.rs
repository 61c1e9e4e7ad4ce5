//! Ways around the rules that readers proved, and what they refused without cause.

use super::boot::CALM;
use super::*;

/// What is set up, and how.
type Setup = (&'static str, fn(&mut Machine));

const DROP: &str = "etc/systemd/system/ssh.service.d/x.conf";
fn pam(m: &mut Machine, text: &str) {
    m.file("etc/pam.d/sshd", text);
    m.file("etc/pam.d/evil", "auth sufficient pam_permit.so\n");
}
fn admin(m: &mut Machine) {
    person(m);
}
fn linux(more: &str) -> String {
    format!(
        "\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {CALM} {more}\n\tinitrd /boot/initrd.img-{KERNEL}\n"
    )
}
fn grub(m: &mut Machine, text: &str) {
    m.file("boot/grub/grub.cfg", text);
}
const BAD: &str = "systemd.debug-shell";

/// Each of these must be found, or be told as undecided.
const BYPASS: &[Setup] = &[
    ("opts -f", |m| m.file("etc/default/ssh", "SSHD_OPTS=\"-f /opt/x\"\n")),
    ("alpine directory", |m| m.file("etc/conf.d/sshd", "sshd_confdir=\"/opt/ssh\"\n")),
    ("opts twice", |m| {
        m.file("etc/default/ssh", "SSHD_OPTS='-f /etc/ssh/sshd_config -f /opt/x'\n");
    }),
    ("grub condition that a comment closes", |m| {
        grub(
            m,
            &format!(
                "set default='1>2'\nmenuentry 'D' {{\n{0}}}\nsubmenu 'more' {{\nmenuentry 'x' {{\n{0}}}\nmenuentry 'y' {{\n{0}}}\nif [ -f /nope ]; then # ; fi\nmenuentry 'n' {{\n{0}}}\nfi\nmenuentry 'D (recovery mode)' {{\n{1}}}\n}}\n",
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("opts -Qf", |m| m.file("etc/default/ssh", "SSHD_OPTS=\"-Qf /opt/x\"\n")),
    ("opts -rf", |m| m.file("etc/default/ssh", "SSHD_OPTS=\"-rf /opt/x\"\n")),
    ("opts quotes between", |m| m.file("etc/default/ssh", "SSHD_OPTS='-''f /opt/x'\n")),
    ("opts multi-line with #", |m| m.file("etc/default/ssh", "SSHD_OPTS=\"-o\n# -f /opt/x\"\n")),
    ("opts after CR in comment", |m| m.file("etc/default/ssh", "# x\rSSHD_OPTS=-f /opt/x\n")),
    ("opts pamservicename", |m| {
        m.file("etc/pam.d/evil", "auth sufficient pam_permit.so\n");
        m.file("etc/default/ssh", "SSHD_OPTS=-oPAMServiceName=evil\n")
    }),
    ("suse sysconfig/ssh", |m| m.file("etc/sysconfig/ssh", "SSHD_OPTS=\"-f /opt/x\"\n")),
    ("alpine conf.d/sshd", |m| m.file("etc/conf.d/sshd", "SSHD_OPTS=\"-f /opt/x\"\n")),
    ("rhel8 crypto policy", |m| {
        m.file(
            "etc/crypto-policies/back-ends/opensshserver.config",
            "CRYPTO_POLICY='-oCiphers=aes256-ctr -oAuthorizedKeysFile=/opt/k'\n",
        )
    }),
    ("unit -\"\"f", |m| m.file(DROP, "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -\"\"f /opt/x\n")),
    ("unit \\x2df", |m| m.file(DROP, "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D \\x2df /opt/x\n")),
    ("unit ${A}${B}", |m| {
        m.file(
            DROP,
            "[Service]\nEnvironment=A=- B=f\nExecStart=\nExecStart=/usr/sbin/sshd -D ${A}${B} /opt/x\n",
        )
    }),
    ("unit joined variable", |m| {
        m.file(
            DROP,
            "[Service]\nEnvironment=OPTIONS=-\nExecStart=\nExecStart=/usr/sbin/sshd -D ${OPTIONS}f /opt/x\n",
        )
    }),
    ("unit other program", |m| m.file(DROP, "[Service]\nExecStart=\nExecStart=/opt/start -D\n")),
    ("unit double backslash", |m| {
        m.file(DROP, "[Unit]\nDescription=x\\\\\n[Service]\nDocumentation=x\\\\\nBindPaths=/srv/x:/etc/ssh\n")
    }),
    ("unit backslash blank", |m| m.file(DROP, "[Service]\nX-A=x\\ \nBindPaths=/srv/x:/etc/ssh\n")),
    ("unit CR", |m| m.file(DROP, "[Service]\nX-A=x\rBindPaths=/srv/x:/etc/ssh\n")),
    ("unit drop-in that is a link", |m| {
        m.file("opt/x.conf", "[Service]\nBindPaths=/srv/x:/etc/ssh\n");
        link(m, DROP, "/opt/x.conf")
    }),
    ("unit drop-in directory that is a link", |m| {
        m.file("srv/d/x.conf", "[Service]\nBindPaths=/srv/x:/etc/ssh\n");
        link(m, "etc/systemd/system/ssh.service.d", "/srv/d")
    }),
    ("unit drop-in in usr/lib", |m| {
        m.file("usr/lib/systemd/system/ssh.service.d/x.conf", "[Service]\nBindPaths=/srv/x:/etc/ssh\n")
    }),
    ("unit drop-in in usr/local/lib", |m| {
        m.file("usr/local/lib/systemd/system/ssh.service.d/x.conf", "[Service]\nBindPaths=/srv/x:/etc/ssh\n")
    }),
    ("unit link to elsewhere", |m| {
        m.file("opt/x.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /opt/x\n");
        link(m, "etc/systemd/system/ssh.service", "/opt/x.service")
    }),
    ("debug-shell enabled", |m| {
        link(
            m,
            "etc/systemd/system/sysinit.target.wants/debug-shell.service",
            "/usr/lib/systemd/system/debug-shell.service",
        )
    }),
    ("cmd systemd.wants=debug-shell", |m| {
        m.command_line(&format!("{CALM} systemd.wants=debug-shell.service"))
    }),
    ("cmd sulogin force", |m| {
        m.command_line(&format!("{CALM} systemd.setenv=SYSTEMD_SULOGIN_FORCE=1 systemd.unit=rescue.target"))
    }),
    ("cmd rd.break", |m| m.command_line(&format!("{CALM} rd.break"))),
    ("cmd break=", |m| m.command_line(&format!("{CALM} break=bottom"))),
    ("cmd init=/opt/x", |m| m.command_line(&format!("{CALM} init=/opt/x"))),
    ("cmd init=python", |m| m.command_line(&format!("{CALM} init=/usr/bin/python3"))),
    ("cmd volatile bare", |m| m.command_line(&format!("{CALM} systemd.volatile"))),
    ("cmd overlayroot", |m| m.command_line(&format!("{CALM} overlayroot=device:dev=/dev/vda2,recurse=0"))),
    ("cmd fstab=no", |m| m.command_line(&format!("{CALM} fstab=no"))),
    ("cmd bootconfig", |m| m.command_line(&format!("{CALM} bootconfig"))),
    ("cmd usrhash", |m| m.command_line(&format!("{CALM} usrhash=aa systemd.verity_usr_data=/dev/vda2"))),
    ("overlayroot.conf", |m| {
        m.file("etc/overlayroot.conf", "overlayroot=\"device:dev=/dev/vda2,recurse=0\"\n")
    }),
    ("credential link", |m| {
        m.file("opt/c", "x");
        link(m, "etc/credstore/passwd.hashed-password.root", "/opt/c")
    }),
    ("credstore usr/local", |m| m.file("usr/local/lib/credstore/passwd.hashed-password.root", "x")),
    ("credstore link dir", |m| {
        m.file("srv/c/passwd.hashed-password.root", "x");
        link(m, "etc/credstore", "/srv/c")
    }),
    ("extensions behind link", |m| {
        m.file("srv/e/x.raw", "x");
        link(m, "var/lib/extensions", "/srv/e")
    }),
    ("extensions directory", |m| m.file("var/lib/extensions/x/usr/bin/y", "x")),
    ("doas comment continues", |m| m.file("etc/doas.conf", "# x \\\npermit nopass :wheel\n")),
    ("doas braces", |m| m.file("etc/doas.conf", "permit setenv { A=b }nopass :wheel\n")),
    ("doas pam", |m| {
        m.file("etc/doas.conf", "permit :wheel\n");
        m.file("etc/pam.d/doas", "auth sufficient pam_permit.so\n")
    }),
    ("doas.d link", |m| {
        m.file("opt/x.conf", "permit nopass :wheel\n");
        link(m, "etc/doas.d/x.conf", "/opt/x.conf")
    }),
    ("doas.conf link", |m| {
        m.file("opt/x.conf", "permit nopass :wheel\n");
        link(m, "etc/doas.conf", "/opt/x.conf")
    }),
    ("pam include [evil]", |m| pam(m, "auth include [evil]\n")),
    ("pam [include] evil", |m| pam(m, "auth [include] evil\n")),
    ("pam @include evil x", |m| pam(m, "@include evil x\n")),
    ("sudo.conf sudoers.so elsewhere", |m| {
        m.file("etc/sudo.conf", "Plugin sudoers_policy /opt/evil/sudoers.so\n")
    }),
    ("sudo.conf plugin_dir", |m| m.file("etc/sudo.conf", "Path plugin_dir /opt/evil/\n")),
    ("sudo.conf comment continues", |m| {
        m.file("etc/sudo.conf", "# x \\\nPlugin sudoers_policy sudoers.so sudoers_file=/opt/x\n")
    }),
    ("sudo.conf split word", |m| {
        m.file("etc/sudo.conf", "Plugin sudoers_policy sudoers.so sudoers_fi\\\nle=/opt/x\n")
    }),
    ("usr/etc/sudo.conf", |m| {
        m.file("usr/etc/sudo.conf", "Plugin sudoers_policy sudoers.so sudoers_file=/opt/x\n")
    }),
    ("sudoers-rs", |m| {
        admin(m);
        m.file("etc/sudoers-rs", "admin ALL=(ALL) NOPASSWD: ALL\n")
    }),
    ("sudoers relative include", |m| {
        admin(m);
        m.file("etc/sudoers", "@includedir /etc/sudoers.d\n");
        m.file("etc/sudoers.d/x", "@include y.z\n");
        m.file("etc/sudoers.d/y.z", "admin ALL=(ALL) NOPASSWD: ALL\n")
    }),
    ("sudoers include with backslash blank", |m| {
        admin(m);
        m.file("etc/sudoers", "@include /etc/a\\ b\n");
        m.file("etc/a b", "admin ALL=(ALL) NOPASSWD: ALL\n")
    }),
    ("sudoers includedir with link", |m| {
        admin(m);
        m.file("etc/sudoers", "@includedir /etc/d\n");
        m.file("opt/x", "admin ALL=(ALL) NOPASSWD: ALL\n");
        link(m, "etc/d/a", "/opt/x")
    }),
    ("grub id of recovery in submenu", |m| {
        grub(
            m,
            &format!(
                "set default='more>foo'\nmenuentry 'Debian' {{\n{}}}\nsubmenu 'more' {{\nmenuentry 'Debian' {{\n{}}}\nmenuentry 'Debian (recovery mode)' --id foo {{\n{}}}\n}}\n",
                linux(""),
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("grub nested submenus", |m| {
        grub(
            m,
            &format!(
                "set default='1>2'\nmenuentry 'D' {{\n{0}}}\nsubmenu 'more' {{\nsubmenu 'i' {{\nmenuentry 'x' {{\n{0}}}\n}}\nsubmenu 'j' {{\nmenuentry 'x' {{\n{0}}}\nmenuentry 'x' {{\n{0}}}\nmenuentry 'x' {{\n{0}}}\n}}\nmenuentry 'D (recovery mode)' {{\n{1}}}\n}}\n",
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("grub if false shifts", |m| {
        grub(
            m,
            &format!(
                "set default='1>2'\nmenuentry 'D' {{\n{0}}}\nsubmenu 'more' {{\nif false; then\nmenuentry 'n' {{\n{0}}}\nfi\nmenuentry 'x' {{\n{0}}}\nmenuentry 'y' {{\n{0}}}\nmenuentry 'D (recovery mode)' {{\n{1}}}\n}}\n",
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("grub quoted set default", |m| {
        grub(
            m,
            &format!(
                "set 'default=1'\nmenuentry 'D' {{\n{0}}}\nmenuentry 'D (recovery mode)' {{\n{1}}}\n",
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("grub unknown variable", |m| {
        m.file("boot/grub/env2", "# GRUB Environment Block\nx=1\n");
        grub(
            m,
            &format!(
                "load_env -f /boot/grub/env2 x\nset default=$x\nmenuentry 'D' {{\n{0}}}\nmenuentry 'D (recovery mode)' {{\n{1}}}\n",
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("grub fallback", |m| {
        grub(
            m,
            &format!(
                "set default=7\nset fallback=1\nmenuentry 'D' {{\n{0}}}\nmenuentry 'D (recovery mode)' {{\n{1}}}\n",
                linux(""),
                linux(BAD)
            ),
        )
    }),
    ("grub no root or =", |m| {
        grub(
            m,
            &format!(
                "set default=1\nmenuentry 'D' {{\n{0}}}\nmenuentry 'E' {{\n\tlinux /boot/vmlinuz-{KERNEL} rw {BAD}\n}}\n",
                linux("")
            ),
        )
    }),
    ("extlinux default label", |m| {
        m.file("boot/extlinux/extlinux.conf", &format!("default b\nlabel a\n linux /boot/vmlinuz-{KERNEL}\n append root=LABEL=root {CALM}\nlabel b\n menu label Debian (rescue target)\n linux /boot/vmlinuz-{KERNEL}\n append root=LABEL=root {CALM} {BAD}\n"))
    }),
    ("extlinux menu default first", |m| {
        m.file("boot/extlinux/extlinux.conf", &format!("label a\n linux /boot/vmlinuz-{KERNEL}\n append root=LABEL=root {CALM}\nlabel b\n menu default\n menu label Debian rescue\n linux /boot/vmlinuz-{KERNEL}\n append root=LABEL=root {CALM} {BAD}\n"))
    }),
    ("bls pattern conf", |m| {
        bls(m, "ff-0-rescue.conf", "ff-6.1.conf");
        m.file("boot/loader/loader.conf", "default ff-0*.con?\n")
    }),
    ("bls escaped", |m| {
        bls(m, "ff-0-rescue.conf", "ff-6.1.conf");
        m.file("boot/loader/loader.conf", "default ff-0-r\\escue.conf\n")
    }),
    ("bls other is empty file", |m| {
        bls(m, "ff-0-rescue.conf", "aa-6.1.conf");
        m.file("boot/loader/entries/ff-9.bak", "")
    }),
    ("bls other with no tries", |m| bls(m, "ff-0-rescue.conf", "ff-6.1+0-3.conf")),
    ("esp credentials", |m| m.file("boot/loader/credentials/ssh.authorized_keys.root.cred", "x")),
];
fn bls(m: &mut Machine, rescue: &str, normal: &str) {
    m.file(
        &format!("boot/loader/entries/{normal}"),
        &format!("title Debian\nlinux /boot/vmlinuz-{KERNEL}\noptions root=LABEL=root {CALM}\n"),
    );
    m.file(
        &format!("boot/loader/entries/{rescue}"),
        &format!(
            "title Debian (rescue)\nlinux /boot/vmlinuz-{KERNEL}\noptions root=LABEL=root {CALM} {BAD}\n"
        ),
    );
}

/// What distributions and careful people set up.
const HONEST: &[Setup] = &[
    ("sudoers in a circle of links", |m| {
        m.file("etc/sudoers", "@include a/x\n");
        m.file("etc/a/x", "@include a/x\n");
        link(m, "etc/a/a", "/etc/a");
    }),
    ("its own configuration by name", |m| {
        m.file(
            DROP,
            "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/sshd_config $SSHD_OPTS\n",
        );
        m.file("etc/conf.d/sshd", "#sshd_confdir=\"${RC_PREFIX%/}/etc/ssh\"\n");
    }),
    ("instance connect of a cloud", |m| {
        let command = "AuthorizedKeysCommand /usr/share/ec2-instance-connect/eic_run_authorized_keys %%u %%f";
        let user = "AuthorizedKeysCommandUser ec2-instance-connect";
        let start = format!("ExecStart=/usr/sbin/sshd -D -o \"{command}\" -o \"{user}\" $SSHD_OPTS");
        let path = "usr/lib/systemd/system/ssh.service.d/ec2-instance-connect.conf";
        m.file(path, &format!("[Service]\nExecStart=\n{start}\n"));
    }),
    ("grub 1>2 with the header of Ubuntu", |m| {
        let header = "if [ -n \"${have_grubenv}\" ]; then if [ -z \"${boot_once}\" ]; then save_env recordfail; fi; fi";
        grub(
            m,
            &format!(
                "{header}\nset default='1>2'\nmenuentry 'D' {{\n{0}}}\nsubmenu 'more' {{\nmenuentry 'x' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro single\n}}\nmenuentry 'y' {{\n{0}}}\n}}\n",
                linux("")
            ),
        );
    }),
    ("init where sbin is bin", |m| m.command_line(&format!("{CALM} init=/usr/bin/init"))),
    ("clean", |_| {}),
    ("buildroot run", |m| fstab(m, "tmpfs /run tmpfs mode=0755,nosuid,nodev 0 0")),
    ("tmpfs of systems", |m| {
        fstab(
            m,
            "tmpfs /run/lock tmpfs defaults 0 0\nproc /proc proc defaults 0 0\nsysfs /sys sysfs defaults 0 0\ntmpfs /dev/shm tmpfs defaults 0 0\ntmpfs /tmp tmpfs defaults 0 0\ntmpfs /var/log tmpfs defaults 0 0",
        )
    }),
    ("rhel8 full copy of sshd.service", |m| {
        m.file("etc/systemd/system/sshd.service", "[Unit]\nDescription=OpenSSH server daemon\n[Service]\nType=notify\nEnvironmentFile=-/etc/crypto-policies/back-ends/opensshserver.config\nEnvironmentFile=-/etc/sysconfig/sshd-permitrootlogin\nEnvironmentFile=-/etc/sysconfig/sshd\nExecStart=/usr/sbin/sshd -D $OPTIONS $CRYPTO_POLICY $PERMITROOTLOGIN\nExecReload=/bin/kill -HUP $MAINPID\n")
    }),
    ("suse full copy", |m| {
        m.file("etc/systemd/system/sshd.service", "[Service]\nEnvironmentFile=-/etc/sysconfig/ssh\nExecStartPre=/usr/sbin/sshd-gen-keys-start\nExecStartPre=/usr/sbin/sshd -t $SSHD_OPTS\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n")
    }),
    ("drop-in with rm -f", |m| m.file(DROP, "[Service]\nExecStartPre=-/bin/rm -f /run/nologin\n")),
    ("drop-in with test -f", |m| {
        m.file(
            DROP,
            "[Service]\nExecStartPre=/bin/sh -c 'test -f /etc/ssh/ssh_host_ed25519_key || ssh-keygen -A'\n",
        )
    }),
    ("drop-in ssh-keygen -q -N '' -f", |m| {
        m.file(DROP, "[Service]\nExecStartPre=/usr/bin/ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n")
    }),
    ("another service with ssh.conf", |m| {
        m.file("etc/systemd/system/foo.service.d/ssh.conf", "[Service]\nEnvironmentFile=/etc/foo\n")
    }),
    ("grub 1>2", |m| {
        grub(
            m,
            &format!(
                "set default='1>2'\nmenuentry 'D' {{\n{0}}}\nsubmenu 'more' {{\nmenuentry 'x' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro single\n}}\nmenuentry 'y' {{\n{0}}}\nmenuentry 'y (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro single\n}}\n}}\n",
                linux("")
            ),
        )
    }),
    ("ubuntu ssh.service.d 00-socket", |m| {
        m.file(
            "etc/systemd/system/ssh.service.d/00-socket.conf",
            "[Unit]\nAfter=ssh.socket\nRequires=ssh.socket\n",
        )
    }),
    ("sudo.conf plugins of rhel", |m| {
        m.file("etc/sudo.conf", "Plugin sudoers_policy sudoers.so\nPlugin sudoers_io sudoers.so\nPlugin sudoers_audit sudoers.so\n")
    }),
    ("cmd volatile off", |m| m.command_line(&format!("{CALM} systemd.volatile=off"))),
    ("credstore keep", |m| m.file("usr/lib/credstore/.keep", "")),
    ("custom rescue entry first in submenu", |m| {
        grub(
            m,
            &format!(
                "set default=0\nmenuentry 'D' {{\n{0}}}\nsubmenu 'Rescue' {{\nmenuentry 'D (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro single\n}}\n}}\n",
                linux("")
            ),
        )
    }),
    ("submenu of snapshots, then recovery", |m| {
        grub(
            m,
            &format!(
                "set default=0\nmenuentry 'D' {{\n{0}}}\nsubmenu 'Snapshots' {{\nif [ -f x ]; then\nsource /boot/grub/x.cfg\nfi\n}}\nmenuentry 'D (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro single\n}}\n",
                linux("")
            ),
        )
    }),
    ("cmd init of systemd", |m| m.command_line(&format!("{CALM} init=/usr/lib/systemd/systemd"))),
    ("pam u2f nouserok after unix", |m| {
        m.file("etc/pam.d/common-auth", "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\nauth required pam_u2f.so nouserok cue\n")
    }),
    ("pam u2f before unix", |m| {
        m.file("etc/pam.d/common-auth", "auth required pam_u2f.so nouserok cue\nauth required pam_unix.so\n")
    }),
];

#[test]
fn ways_around_are_told_and_what_is_honest_passes() {
    for (cases, is_honest) in [(BYPASS, false), (HONEST, true)] {
        for (what, change) in cases {
            let mut machine = Machine::clean();
            change(&mut machine);
            let Some(verdict) = machine.inspect() else { return };
            // What is only told passes all the same.
            assert_eq!(verdict.outcome() == Judged::Pass, is_honest, "{what}: {:?}", verdict.findings);
        }
    }
}
