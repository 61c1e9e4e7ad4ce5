//! Ways around the rules that readers proved, and what they refused without cause.

use super::boot::CALM;
use super::*;

/// What is set up, and how.
pub(super) type Setup = (&'static str, fn(&mut Machine));

pub(super) const DROP: &str = "etc/systemd/system/ssh.service.d/x.conf";
fn pam(m: &mut Machine, text: &str) {
    m.file("etc/pam.d/sshd", text);
    m.file("etc/pam.d/evil", "auth sufficient pam_permit.so\n");
}
pub(super) fn admin(m: &mut Machine) {
    person(m);
}
pub(super) fn doas(m: &mut Machine, path: &str, text: &str) {
    admin(m);
    m.file(path, text);
}
pub(super) fn linux(more: &str) -> String {
    format!(
        "\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {CALM} {more}\n\tinitrd /boot/initrd.img-{KERNEL}\n"
    )
}
pub(super) fn grub(m: &mut Machine, text: &str) {
    m.file("boot/grub/grub.cfg", text);
}
const BAD: &str = "systemd.debug-shell";

/// What chooses an entry for recovery with an id.
pub(super) fn chosen(m: &mut Machine, head: &str, id: &str) {
    let calm = linux("");
    grub(
        m,
        &format!(
            "{head}\nmenuentry 'D' {{\n{calm}}}\nmenuentry 'x (recovery mode)' {id} {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {BAD}\n}}\n"
        ),
    );
}
/// The third entry of a menu starts, in which something stands before the one for recovery.
fn third(m: &mut Machine, before: &str) {
    let calm = linux("");
    let before = before.replace("LINUX", &calm);
    grub(
        m,
        &format!(
            "set default='1>2'\nmenuentry 'D' {{\n{calm}}}\nsubmenu 'm' {{\n{before}menuentry 'x (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {BAD}\n}}\n}}\n"
        ),
    );
}

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
    ("alpine cfgfile", |m| m.file("etc/conf.d/sshd", "cfgfile=\"/opt/x\"\n")),
    ("alpine SSHD_CONFIG", |m| m.file("etc/conf.d/sshd", "SSHD_CONFIG=/opt/x\n")),
    ("alpine command", |m| m.file("etc/conf.d/sshd", "command=/opt/sshd\n")),
    ("conf.d joined", |m| m.file("etc/conf.d/sshd", "a=f\nSSHD_OPTS=\"-$a /opt/x\"\n")),
    ("conf.d joined in a line", |m| m.file("etc/conf.d/sshd", "a=-; SSHD_OPTS=${a}f\\ /opt/x\n")),
    ("default joined", |m| m.file("etc/default/ssh", "A=-\nSSHD_OPTS=\"$A\"f\n")),
    ("conf.d of a command", |m| m.file("etc/conf.d/sshd", "SSHD_OPTS=\"`cat /opt/x`\"\n")),
    ("overlayroot exported", |m| m.file("etc/overlayroot.conf", "export overlayroot=device:dev=/dev/sdb1\n")),
    ("overlayroot behind another", |m| {
        m.file("etc/overlayroot.conf", "overlayroot_cfgdisk=disabled; overlayroot=device:dev=/dev/sdb1\n")
    }),
    ("overlayroot on a disk", |m| {
        m.file("etc/overlayroot.conf", "overlayroot_cfgdisk=LABEL=OROOTCFG\noverlayroot=\"\"\n")
    }),
    ("socket with a unit of another name", |m| {
        m.file(
            "etc/systemd/system/ssh.socket",
            "[Socket]\nListenStream=22\nAccept=yes\nService=other@.service\n",
        );
        m.file(
            "etc/systemd/system/other@.service",
            "[Service]\nExecStart=-/usr/sbin/sshd -i -f /opt/x\nStandardInput=socket\n",
        );
    }),
    ("unit of another name", |m| {
        m.file("etc/systemd/system/remote.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /opt/x\n")
    }),
    ("unit with a quoted program", |m| {
        m.file(
            "etc/systemd/system/remote.service",
            "[Service]\nExecStart=\"/usr/sbin/sshd\" -D '-f' /opt/x\n",
        )
    }),
    ("variables of every service", |m| {
        let text = "[Manager]\nDefaultEnvironment=\"SSHD_OPTS=-f /opt/x\"\n";
        m.file("etc/systemd/system.conf.d/x.conf", text)
    }),
    ("variables of every service, main file", |m| {
        m.file(
            "etc/systemd/system.conf",
            "[Manager]\nDefaultEnvironment=LANG=C \\\n  \"SSHD_OPTS=-f /opt/x\"\n",
        )
    }),
    ("a file of variables for every service", |m| {
        m.file("etc/systemd/system/service.d/x.conf", "[Service]\nEnvironmentFile=-/etc/environment\n");
        m.file("etc/environment", "PATH=/usr/bin\nSSHD_OPTS=\"-f /opt/x\"\n");
    }),
    ("a file of variables elsewhere", |m| {
        m.file("etc/systemd/system/service.d/x.conf", "[Service]\nEnvironmentFile=-/opt/environment\n")
    }),
    ("unit with any option", |m| {
        m.file("etc/systemd/system/sshd@.service", "[Service]\nExecStart=/usr/sbin/sshd -i -%i /opt/x\n")
    }),
    ("cmd setenv", |m| m.command_line(&format!("{CALM} systemd.setenv=SSHD_OPTS=-f/opt/x"))),
    ("grub id with a sign", |m| chosen(m, "set default='zz'", "--id=zz")),
    ("grub sets what it remembers", |m| {
        chosen(m, "set saved_entry=zz\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("grub variable with a remembered name in it", |m| {
        chosen(m, "regexp --set=my_saved_entry '(.*)' zz\nset default=\"${my_saved_entry}\"", "--id zz")
    }),
    ("grub regexp sets default", |m| chosen(m, "regexp --set=default '(.*)' zz", "--id zz")),
    ("grub reads default", |m| chosen(m, "read default", "--id zz")),
    ("grub computes default", |m| chosen(m, "set default=$((1))", "--id zz")),
    ("grub environment of another file", |m| {
        m.file("boot/grub/env2", "# GRUB Environment Block\nsaved_entry=zz\n");
        chosen(m, "load_env -f /boot/grub/env2 saved_entry\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("grub fallback without set", |m| chosen(m, "fallback=\"7 zz\"", "--id zz")),
    ("grub environment that chooses by default", |m| {
        m.file("boot/grub/env2", "# GRUB Environment Block\ndefault=zz\n");
        chosen(m, "load_env --file /boot/grub/env2", "--id zz")
    }),
    ("grub environment that is not there", |m| {
        chosen(m, "load_env --file=/opt/env2\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("grub environment of another name", |m| {
        m.file("boot/efi/grubenv", "# GRUB Environment Block\nsaved_entry=zz\n");
        chosen(m, "load_env -f /boot/efi/grubenv\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("grub fallback by name", |m| chosen(m, "set default=nothere\nset fallback=zz", "--id zz")),
    ("grub loop before the third", |m| third(m, "for i in a b; do\nmenuentry \"n$i\" {\nLINUX}\ndone\n")),
    ("grub while before the third", |m| third(m, "while false; do\nmenuentry 'n' {\nLINUX}\ndone\n")),
    ("grub script before the third", |m| {
        m.file(
            "boot/grub/two.cfg",
            &format!("menuentry 'p' {{\n{0}}}\nmenuentry 'q' {{\n{0}}}\n", linux("")),
        );
        third(m, "source /boot/grub/two.cfg\n")
    }),
    ("grub function before the third", |m| third(m, "function f {\nmenuentry 'n' {\nLINUX}\n}\nf\nf\n")),
    ("grub two entries before the third", |m| third(m, "menuentry 'n' {\nLINUX}\nmenuentry 'o' {\nLINUX}\n")),
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
    ("doas comment continues", |m| doas(m, "etc/doas.conf", "# x \\\npermit nopass :sudo\n")),
    ("doas braces", |m| doas(m, "etc/doas.conf", "permit setenv { A=b }nopass :sudo\n")),
    ("doas by number", |m| doas(m, "etc/doas.conf", "permit nopass :27\n")),
    ("doas quoted", |m| doas(m, "etc/doas.conf", "permit nopass \"adm\\in\"\n")),
    ("doas pam", |m| {
        doas(m, "etc/doas.conf", "permit :sudo\n");
        m.file("etc/pam.d/doas", "auth sufficient pam_permit.so\n")
    }),
    ("doas.d link", |m| {
        doas(m, "opt/x.conf", "permit nopass :sudo\n");
        link(m, "etc/doas.d/x.conf", "/opt/x.conf")
    }),
    ("doas.conf link", |m| {
        doas(m, "opt/x.conf", "permit nopass :sudo\n");
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
    ("grub of Ubuntu with entries of firmware", |m| {
        let recovery = format!("\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro single {BAD}\n");
        let function = "function recordfail {\n  set recordfail=1\n  if [ -n \"${have_grubenv}\" ]; then if [ -z \"${boot_once}\" ]; then save_env recordfail; fi; fi\n}";
        let end = "if [ \"$grub_platform\" = \"efi\" ]; then\n\tmenuentry 'UEFI Firmware Settings' {\n\tfwsetup\n}\nfi\nif [ -f  ${config_directory}/custom.cfg ]; then\n  source ${config_directory}/custom.cfg\nelif [ -z \"${config_directory}\" -a -f  $prefix/custom.cfg ]; then\n  source $prefix/custom.cfg\nfi";
        grub(
            m,
            &format!(
                "if [ -s $prefix/grubenv ]; then\n  set have_grubenv=true\n  load_env\nfi\nset default=\"1>2\"\n{function}\nsearch --no-floppy --fs-uuid --set=root aa\nmenuentry 'D' {{\n{0}}}\nsubmenu 'more' {{\nmenuentry 'x' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n{recovery}}}\nmenuentry 'y' {{\n{0}}}\n}}\n{end}\n",
                linux("")
            ),
        );
    }),
    ("grub of Fedora with its environment by name", |m| {
        grub(
            m,
            &format!(
                "if [ -f ${{config_directory}}/grubenv ]; then\n  load_env -f ${{config_directory}}/grubenv\nelif [ -s $prefix/grubenv ]; then\n  load_env\nfi\nif [ \"${{next_entry}}\" ] ; then\n   set default=\"${{next_entry}}\"\nelse\n   set default=\"${{saved_entry}}\"\nfi\nmenuentry 'D' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {BAD}\n}}\n",
                linux("")
            ),
        );
    }),
    ("grub of Azure Linux with parameters in a file", |m| {
        m.file(
            "boot/azurelinux.cfg",
            &format!("# GRUB Environment Block\nazl_cmdline={CALM} root=LABEL=root\n"),
        );
        grub(
            m,
            &format!(
                "set bootprefix=/boot\nload_env -f $bootprefix/azurelinux.cfg\nmenuentry 'Azure Linux' {{\n\tlinux /boot/vmlinuz-{KERNEL} $azl_cmdline\n\tinitrd /boot/initrd.img-{KERNEL}\n}}\nmenuentry 'x (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {BAD}\n}}\n"
            ),
        );
    }),
    ("grub of SUSE with variables beside the file system", |m| {
        grub(
            m,
            &format!(
                "if [ -f $prefix/grubenv ]; then\n  load_env\nfi\nset env_block=\"512+1\"\nset env_block=\"(${{root}})${{env_block}}\"\nload_env -f \"${{env_block}}\"\nset default=\"${{saved_entry}}\"\nmenuentry 'D' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro {BAD}\n}}\n",
                linux("")
            ),
        );
    }),
    ("whole unit of dropbear", |m| {
        m.file("etc/systemd/system/dropbear.service", "[Service]\nEnvironmentFile=-/etc/default/dropbear\nExecStart=/usr/sbin/dropbear -EF -p \"$DROPBEAR_PORT\" -W \"$DROPBEAR_RECEIVE_WINDOW\" $DROPBEAR_EXTRA_ARGS\n")
    }),
    ("arguments of a command of Alpine", |m| {
        m.file("etc/conf.d/sshd", "command_args=\"-E /var/log/sshd\"\n")
    }),
    ("overlayroot off", |m| {
        m.file("etc/overlayroot.conf", "# x\noverlayroot_cfgdisk=\"disabled\"\noverlayroot=\"\"\n")
    }),
    ("overlayroot off with options", |m| {
        m.file("etc/overlayroot.conf", "overlayroot=\"disabled:recurse=0\"\n")
    }),
    ("quoted option of sshd", |m| {
        let options = "-o \"LogLevel=VERBOSE\" -o 'HostCertificate=/etc/ssh/%H-cert.pub' -E /var/log/%H.log";
        m.file(DROP, &format!("[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D {options} $SSHD_OPTS\n"))
    }),
    ("a file of variables for every service, harmless", |m| {
        m.file(
            "etc/systemd/system/service.d/proxy.conf",
            "[Service]\nEnvironmentFile=-/etc/environment\nEnvironmentFile=-/etc/sysconfig/proxy\n",
        );
        m.file("etc/environment", "PATH=/usr/bin\nJAVA_OPTS=\"-f x\"\n");
    }),
    ("variables of every service, harmless", |m| {
        m.file("etc/systemd/system.conf", "[Manager]\nDefaultEnvironment=PATH=/usr/bin LANG=C.UTF-8\n")
    }),
    ("options that add to themselves", |m| m.file("etc/conf.d/sshd", "SSHD_OPTS=\"${SSHD_OPTS} -4\"\n")),
    ("conf.d of Alpine", |m| {
        m.file("etc/conf.d/sshd", "# /etc/conf.d/sshd: config file for /etc/init.d/sshd\n#sshd_disable_keygen=\"yes\"\n#cfgfile=\"${SSHD_CONFDIR}/sshd_config\"\ncfgfile=\"/etc/ssh/sshd_config\"\nSSHD_OPTS=\"\"\nrc_need=\"net\"\n")
    }),
    ("network and files of sshd", |m| {
        m.file("etc/default/ssh", "SSHD_OPTS=\"-E /var/log/sshd.log -o ListenAddress=::\"\n")
    }),
    ("a socket for each connection", |m| {
        m.file("etc/systemd/system/ssh@.service", "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=-/usr/sbin/sshd -i $SSHD_OPTS\nStandardInput=socket\n")
    }),
    ("doas for a group without members", |m| m.file("etc/doas.conf", "permit nopass :nobody-is-here\n")),
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

/// Which cases came out otherwise than they should, with what was found.
pub(super) fn wrong(cases: &[Setup], is_honest: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, change) in cases {
        let mut machine = Machine::clean();
        change(&mut machine);
        let Some(verdict) = machine.inspect() else { return Vec::new() };
        // What is only told passes all the same.
        if (verdict.outcome() == Judged::Pass) != is_honest {
            wrong.push(format!("{what}: {:?}", verdict.findings));
        }
    }
    wrong
}

#[test]
fn ways_around_are_told_and_what_is_honest_passes() {
    let told = [wrong(BYPASS, false), wrong(HONEST, true)].concat();
    assert!(told.is_empty(), "{}", told.join("\n"));
}
