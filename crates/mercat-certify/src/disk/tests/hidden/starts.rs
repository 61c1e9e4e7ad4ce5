//! How the SSH server and the system are started: what stock files of distributions do, and ways around the rules.

use super::boot::CALM;
use super::evasions::{DROP, Setup, admin, chosen, doas, grub, linux, wrong};
use super::*;

/// As GRUB's scripts make an entry for recovery: `GRUB_CMDLINE_LINUX_DEFAULT` is not given to it.
fn recov() -> String {
    format!(
        "\tlinux /boot/vmlinuz-{KERNEL} root=LABEL=root ro recovery nomodeset dis_ucode_ldr\n\tinitrd /boot/initrd.img-{KERNEL}\n"
    )
}

/// The header of Ubuntu's `grub.cfg`.
const UBUNTU_HEADER: &str = r#"if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${initrdfail}" = 2 ]; then
   set initrdfail=
elif [ "${initrdfail}" = 1 ]; then
   set next_entry="${prev_entry}"
   set prev_entry=
   save_env prev_entry
   if [ "${next_entry}" ]; then
      set initrdfail=2
   fi
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi

if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi

export menuentry_id_option

if [ "${prev_saved_entry}" ]; then
  set saved_entry="${prev_saved_entry}"
  save_env saved_entry
  set prev_saved_entry=
  save_env prev_saved_entry
  set boot_once=true
fi

function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function initrdfail {
    if [ -n "${have_grubenv}" ]; then if [ -n "${partuuid}" ]; then
      if [ -z "${initrdfail}" ]; then
        set initrdfail=1
        if [ -n "${boot_once}" ]; then
          set prev_entry="${default}"
          save_env prev_entry
        fi
      fi
      save_env initrdfail
    fi; fi
}
function recordfail {
  set recordfail=1
  if [ -n "${have_grubenv}" ]; then if [ -z "${boot_once}" ]; then save_env recordfail; fi; fi
}
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
  fi
}
if [ "${recordfail}" = 1 ] ; then
  set timeout=30
else
  if [ x$feature_timeout_style = xy ] ; then
    set timeout_style=hidden
    set timeout=0
  # Fallback hidden-timeout code in case the timeout_style feature is
  # unavailable.
  elif sleep --interruptible 0 ; then
    set timeout=0
  fi
fi
set partuuid=11
function gfxmode {
	set gfxpayload="${1}"
	if [ "${1}" = "keep" ]; then
		set vt_handoff=vt.handoff=7
	else
		set vt_handoff=
	fi
}
"#;

fn ubuntu(m: &mut Machine, default: &str, end: &str) {
    let head = UBUNTU_HEADER.replace("DEFAULT", default);
    let calm = linux("");
    let recovery = recov();
    let class = "--class ubuntu --class gnu-linux --class gnu --class os $menuentry_id_option";
    grub(
        m,
        &format!(
            "{head}menuentry 'Ubuntu' {class} 'gnulinux-simple-aa' {{\n\trecordfail\n\tload_video\n\tgfxmode $linux_gfx_mode\n\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi\n\tif [ \"${{initrdfail}}\" = 1 ]; then\n\t  echo\t'GRUB_FORCE_PARTUUID set, initrdless boot failed. Attempting with initrd.'\n{calm}\telse\n{calm}\tfi\n\tinitrdfail\n}}\nsubmenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-aa' {{\n\tmenuentry 'Ubuntu, with Linux {KERNEL}' {class} 'gnulinux-{KERNEL}-advanced-aa' {{\n\trecordfail\n{calm}\t}}\n\tmenuentry 'Ubuntu, with Linux {KERNEL} (recovery mode)' {class} 'gnulinux-{KERNEL}-recovery-aa' {{\n\trecordfail\n{recovery}\t}}\n\tmenuentry 'Ubuntu, with Linux 6' {class} 'gnulinux-6-advanced-aa' {{\n{calm}\t}}\n}}\n{end}\n"
        ),
    );
}

/// The header of SUSE's, and of GRUB 2.14.
const SUSE: &str = "if [ -f ${config_directory}/grubenv ]; then\n  load_env -f ${config_directory}/grubenv\nelif [ -s $prefix/grubenv ]; then\n  load_env\nfi\n\nif [ \"${env_block}\" ] ; then\n  set env_block=\"(${root})${env_block}\"\n  export env_block\n  load_env -f \"${env_block}\"\nfi\n\nif [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\n   set next_entry=\n   save_env next_entry\n   if [ \"${env_block}\" ] ; then\n     save_env -f \"${env_block}\" next_entry\n   fi\n   set boot_once=true\nelse\n   set default=\"${saved_entry}\"\nfi\n";

fn suse(m: &mut Machine) {
    grub(
        m,
        &format!(
            "{SUSE}menuentry 'D' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n{1}}}\n",
            linux(""),
            recov()
        ),
    );
}

/// What distributions ship, and careful people set up.
const HONEST: &[Setup] = &[
    ("ubuntu stock grub.cfg", |m| ubuntu(m, "0", "")),
    ("ubuntu stock grub.cfg, grubenv of cloud image", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\ninitrdfail=1\nprev_entry=\n");
        ubuntu(m, "0", "")
    }),
    ("ubuntu GRUB_DEFAULT=Ubuntu", |m| ubuntu(m, "Ubuntu", "")),
    ("ubuntu saved", |m| ubuntu(m, "${saved_entry}", "")),
    ("ubuntu 1>2", |m| ubuntu(m, "1>2", "")),
    ("ubuntu 1>0", |m| ubuntu(m, "1>0", "")),
    ("ubuntu 1>2 with grub-btrfs", |m| {
        ubuntu(
            m,
            "1>2",
            "if [ ! -e \"${prefix}/grub-btrfs.cfg\" ]; then\necho \"\"\nelse\nsubmenu 'Ubuntu snapshots' {\nconfigfile \"${prefix}/grub-btrfs.cfg\"\n}\nfi\n",
        )
    }),
    ("ubuntu default by id", |m| ubuntu(m, "gnulinux-advanced-aa>gnulinux-6-advanced-aa", "")),
    ("ubuntu systemd.cfg not there", |m| {
        ubuntu(m, "0", "if [ -f $prefix/extra.env ]; then\n  load_env -f $prefix/extra.env\nfi")
    }),
    ("old alpine conf.d", |m| {
        m.file("etc/conf.d/sshd", "# Where is your sshd_config file stored?\n\nSSHD_CONFDIR=\"/etc/ssh\"\n\nSSHD_OPTS=\"\"\n#SSHD_PIDFILE=\"/run/sshd.pid\"\n")
    }),
    ("gentoo/alpine pidfile", |m| {
        m.file("etc/conf.d/sshd", "SSHD_PIDFILE=\"${RC_PREFIX%/}/run/sshd.pid\"\n")
    }),
    ("conf.d cfgfile of RC", |m| m.file("etc/conf.d/sshd", "SSHD_BINARY=\"${RC_PREFIX%/}/usr/sbin/sshd\"\n")),
    ("EnvironmentFile with pem name", |m| {
        m.file("etc/systemd/system/service.d/x.conf", "[Service]\nEnvironmentFile=-/etc/default/locale\n");
        m.file("etc/default/locale", "LANG=C.UTF-8\n");
    }),
    ("JAVA_OPTIONS in environment", |m| {
        m.file("etc/systemd/system/service.d/x.conf", "[Service]\nEnvironmentFile=-/etc/environment\n");
        m.file("etc/environment", "PATH=/usr/bin\nJAVA_TOOL_OPTIONS=\"-javaagent:/opt/a.jar -f /opt/y\"\n_JAVA_OPTIONS=-Djava.security.authorizedkeys=x\n");
    }),
    ("DefaultEnvironment of java", |m| {
        m.file(
            "etc/systemd/system.conf.d/x.conf",
            "[Manager]\nDefaultEnvironment=\"NODE_OPTIONS=--include=x -f y\"\n",
        )
    }),
    ("git sshd of own", |m| {
        m.file(
            "etc/systemd/system/sftp.service",
            "[Service]\nEnvironmentFile=-/etc/default/ssh\nExecStart=/usr/sbin/sshd -D -p ${SFTP_PORT}\n",
        )
    }),
    ("sshd -E with specifier", |m| {
        m.file(DROP, "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -E/var/log/%H.log $SSHD_OPTS\n")
    }),
    ("sshd lib path arch lib", |m| {
        m.file("etc/systemd/system/sshd.service", "[Service]\nExecStart=/usr/bin/sshd -D\n")
    }),
    ("suse 1>2", |m| {
        grub(
            m,
            &format!(
                "if [ -f ${{config_directory}}/grubenv ]; then\n  load_env -f ${{config_directory}}/grubenv\nelif [ -s $prefix/grubenv ]; then\n  load_env\nfi\nif [ \"${{env_block}}\" ] ; then\n  set env_block=\"(${{root}})${{env_block}}\"\n  export env_block\n  load_env -f \"${{env_block}}\"\nfi\nif [ \"${{next_entry}}\" ] ; then\n   set default=\"${{next_entry}}\"\nelse\n   set default=\"${{saved_entry}}\"\nfi\nmenuentry 'D' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n{1}}}\n",
                linux(""),
                recov()
            ),
        )
    }),
    ("doas persist", |m| {
        admin(m);
        m.file("etc/doas.conf", "permit persist :wheel\npermit nopass root as admin\npermit nopass :wheel\n")
    }),
    ("overlayroot spaces", |m| m.file("etc/overlayroot.conf", "overlayroot=\"\" # off\n")),
    ("overlayroot local empty", |m| m.file("etc/overlayroot.local.conf", "overlayroot='disabled'\n")),
    ("by title", |m| ubuntu(m, "Advanced options for Ubuntu>Ubuntu, with Linux 6", "")),
    ("load_env of what may be there", |m| {
        ubuntu(m, "0", "if [ -f $prefix/extra.env ]; then\n  load_env -f $prefix/extra.env\nfi")
    }),
    ("suse, no grubenv", suse),
    ("suse, grubenv without env_block", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\nsaved_entry=D\n");
        suse(m)
    }),
    ("suse, grubenv with env_block", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\nenv_block=512+1\n");
        suse(m)
    }),
    ("java in environment", |m| {
        m.file("etc/systemd/system/service.d/x.conf", "[Service]\nEnvironmentFile=-/etc/environment\n");
        m.file("etc/environment", "PATH=/usr/bin\nJAVA_TOOL_OPTIONS=-Dfile.encoding=UTF-8\n");
    }),
    ("java DefaultEnvironment", |m| {
        m.file(
            "etc/systemd/system.conf.d/x.conf",
            "[Manager]\nDefaultEnvironment=\"JAVA_TOOL_OPTIONS=-Dfile.encoding=UTF-8\"\n",
        )
    }),
    ("java Environment in service.d", |m| {
        m.file(
            "etc/systemd/system/service.d/x.conf",
            "[Service]\nEnvironment=\"JAVA_TOOL_OPTIONS=-Dfile.encoding=UTF-8\"\n",
        )
    }),
    ("gitlab-style second sshd on 2222", |m| {
        m.file(
            "etc/systemd/system/sftpd.service",
            "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/sshd_config -p 2222\n",
        )
    }),
    ("conf.d of openrc with pidfile and shell", |m| {
        m.file("etc/conf.d/sshd", "rc_need=\"net\"\noutput_log=\"/var/log/$RC_SVCNAME.log\"\n")
    }),
    ("debian default with sourced comment", |m| {
        m.file("etc/default/ssh", "# Default settings for openssh-server. This file is sourced by /bin/sh from\n# /etc/init.d/ssh.\n\n# Options to pass to sshd\nSSHD_OPTS=\n")
    }),
    ("fedora header", |m| {
        grub(
            m,
            &format!(
                "set pager=1\n\nif [ -f ${{config_directory}}/grubenv ]; then\n  load_env -f ${{config_directory}}/grubenv\nelif [ -s $prefix/grubenv ]; then\n  load_env\nfi\nif [ \"${{next_entry}}\" ] ; then\n   set default=\"${{next_entry}}\"\n   set next_entry=\n   save_env next_entry\n   set boot_once=true\nelse\n   set default=\"${{saved_entry}}\"\nfi\nfunction savedefault {{\n  if [ -z \"${{boot_once}}\" ]; then\n    saved_entry=\"${{chosen}}\"\n    save_env saved_entry\n  fi\n}}\ninsmod increment\nif [ -n \"${{boot_counter}}\" -a \"${{boot_success}}\" = \"0\" ]; then\n  if  [ \"${{boot_counter}}\" = \"0\" -o \"${{boot_counter}}\" = \"-1\" ]; then\n    set default=1\n    set boot_counter=-1\n  else\n    decrement boot_counter\n  fi\n  save_env boot_counter\nfi\nmenuentry 'D' {{\n{0}}}\n",
                linux("")
            ),
        )
    }),
    ("buildroot dropbear in etc", |m| {
        m.file("etc/systemd/system/dropbear.service", "[Service]\nEnvironmentFile=-/etc/default/dropbear\nExecStart=/usr/sbin/dropbear -F -R $DROPBEAR_ARGS\n")
    }),
    ("yocto dropbear@ in etc", |m| {
        m.file("etc/systemd/system/dropbear@.service", "[Service]\nEnvironment=\"DROPBEAR_RSAKEY_DIR=/etc/dropbear\"\nEnvironmentFile=-/etc/default/dropbear\nExecStart=-/usr/sbin/dropbear -i -r ${DROPBEAR_RSAKEY_DIR}/dropbear_rsa_host_key $DROPBEAR_EXTRA_ARGS\n")
    }),
    ("upstream grub 2.14 header", |m| {
        let t = "if [ -s $prefix/grubenv ]; then\n  set have_grubenv=true\n  load_env\nfi\n\nif [ \"${env_block}\" ] ; then\n  set env_block=\"(${root})${env_block}\"\n  export env_block\n  load_env -f \"${env_block}\"\nfi\n\nif [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\n   set next_entry=\n   if [ \"${env_block}\" ] ; then\n     save_env -f \"${env_block}\" next_entry\n   else\n     save_env next_entry\n   fi\n   set boot_once=true\nelse\n   set default=\"0\"\nfi\n";
        grub(
            m,
            &format!(
                "{t}menuentry 'D' {{\n{0}}}\nsubmenu 'a' {{\nmenuentry 'y' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n{1}}}\n}}\n",
                linux(""),
                recov()
            ),
        )
    }),
    ("ubuntu: only the line with prev_entry", |m| {
        grub(
            m,
            &format!(
                "set next_entry=\"${{prev_entry}}\"\nset default=\"${{next_entry}}\"\nset default=\"0\"\nmenuentry 'D' {{\n{0}}}\nsubmenu 'a' {{\nmenuentry 'y' {{\n{0}}}\nmenuentry 'x (recovery mode)' {{\n{1}}}\n}}\n",
                linux(""),
                recov()
            ),
        )
    }),
    ("debian GRUB_DEFAULT=Debian", |m| {
        grub(
            m,
            &format!(
                "set default=\"Debian\"\nmenuentry 'Debian' --class debian {{\n{0}}}\nsubmenu 'a' {{\nmenuentry 'y' {{\n{0}}}\nmenuentry 'Debian, with Linux 6 (recovery mode)' --class debian {{\n{1}}}\n}}\n",
                linux(""),
                recov()
            ),
        )
    }),
];

/// Each of these must be found, or be told as undecided.
const BYPASS: &[Setup] = &[
    ("other unit, Environment OPTIONS", |m| {
        m.file(
            "etc/systemd/system/remote.service",
            "[Service]\nEnvironment=\"OPTIONS=-f /opt/x\"\nExecStart=/usr/sbin/sshd -D $OPTIONS\n",
        )
    }),
    ("other unit, EnvironmentFile", |m| {
        m.file(
            "etc/systemd/system/remote.service",
            "[Service]\nEnvironmentFile=/opt/env\nExecStart=/usr/sbin/sshd -D $OPTIONS\n",
        )
    }),
    ("other unit, BindPaths", |m| {
        m.file(
            "etc/systemd/system/remote.service",
            "[Service]\nBindPaths=/srv/x:/etc/ssh\nExecStart=/usr/sbin/sshd -D\n",
        )
    }),
    ("other unit, drop-in", |m| {
        m.file("etc/systemd/system/remote.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n");
        m.file("etc/systemd/system/remote.service.d/x.conf", "[Service]\nBindPaths=/srv/x:/etc/ssh\n");
    }),
    ("ssh.service in usr/local/lib", |m| {
        m.file(
            "usr/local/lib/systemd/system/ssh.service",
            "[Service]\nExecStart=/usr/sbin/sshd -D -f /opt/x\n",
        )
    }),
    ("system.conf.d in usr/lib", |m| {
        m.file(
            "usr/lib/systemd/system.conf.d/x.conf",
            "[Manager]\nDefaultEnvironment=\"SSHD_OPTS=-f /opt/x\"\n",
        )
    }),
    ("system.conf.d in usr/local/lib", |m| {
        m.file(
            "usr/local/lib/systemd/system.conf.d/x.conf",
            "[Manager]\nDefaultEnvironment=\"SSHD_OPTS=-f /opt/x\"\n",
        )
    }),
    ("DefaultEnvironment escaped", |m| {
        m.file(
            "etc/systemd/system.conf.d/x.conf",
            "[Manager]\nDefaultEnvironment=\"SSHD_OPTS=\\x2df /opt/x\"\n",
        )
    }),
    ("DefaultEnvironment escaped name", |m| {
        m.file(
            "etc/systemd/system.conf.d/x.conf",
            "[Manager]\nDefaultEnvironment=\"SSHD\\x5fOPTS=-f /opt/x\"\n",
        )
    }),
    ("Environment escaped", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=\nEnvironment=\"SSHD_OPTS=\\x2df /opt/x\"\n")
    }),
    ("system.conf.d link", |m| {
        m.file("opt/x.conf", "[Manager]\nDefaultEnvironment=\"SSHD_OPTS=-f /opt/x\"\n");
        link(m, "etc/systemd/system.conf.d/x.conf", "/opt/x.conf");
    }),
    ("EnvironmentFile glob", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=-/etc/ssh/*.env\n");
        m.file("etc/ssh/x.env", "SSHD_OPTS=-f /opt/x\n");
    }),
    ("EnvironmentFile specifier", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=-/etc/ssh/%p.env\n");
        m.file("etc/ssh/ssh.env", "SSHD_OPTS=-f /opt/x\n");
    }),
    ("EnvironmentFile dots", |m| m.file(DROP, "[Service]\nEnvironmentFile=-/etc/../opt/env\n")),
    ("EnvironmentFile lines", |m| {
        m.file("etc/systemd/system/service.d/x.conf", "[Service]\nEnvironmentFile=-/etc/environment\n");
        m.file("etc/environment", "SSHD_OPTS=\"-4\n-f /opt/x\"\n");
    }),
    ("EnvironmentFile link elsewhere", |m| {
        m.file("opt/env/e/f/x", "SSHD_OPTS=-f /opt/x\n");
        link(m, "etc/ssh/x.env", "/opt/env/e/f/x");
        m.file(DROP, "[Service]\nEnvironmentFile=-/etc/ssh/x.env\n");
    }),
    ("opts backslash", |m| m.file("etc/default/ssh", "SSHD_OPTS=-\\f\" /opt/x\"\n")),
    ("opts backslash keys", |m| m.file("etc/default/ssh", "SSHD_OPTS=-oAuthorized\\KeysFile=/opt/k\n")),
    ("conf.d export", |m| m.file("etc/conf.d/sshd", "export cfgfile=/opt/x\n")),
    ("conf.d and", |m| m.file("etc/conf.d/sshd", "true && cfgfile=/opt/x\n")),
    ("conf.d if", |m| m.file("etc/conf.d/sshd", "if true; then cfgfile=/opt/x; fi\n")),
    ("conf.d two", |m| m.file("etc/conf.d/sshd", "rc_need=net cfgfile=/opt/x\n")),
    ("conf.d source", |m| m.file("etc/conf.d/sshd", ". /opt/x\n")),
    ("conf.d read", |m| m.file("etc/conf.d/sshd", "read -r SSHD_OPTS < /opt/x\n")),
    ("rc.conf", |m| m.file("etc/rc.conf", "SSHD_OPTS=\"-f /opt/x\"\n")),
    ("rc.conf.d", |m| m.file("etc/rc.conf.d/x.conf", "SSHD_OPTS=\"-f /opt/x\"\n")),
    ("conf.d/sshd.default", |m| m.file("etc/conf.d/sshd.default", "cfgfile=/opt/x\n")),
    ("conf.d sshd.x via link of initd", |m| m.file("etc/conf.d/sshd.x", "SSHD_OPTS=\"-f /opt/x\"\n")),
    ("cmd setenv quoted", |m| m.command_line(&format!("{CALM} systemd.setenv=\"SSHD_OPTS=-4 -f /opt/x\""))),
    ("cmd setenv grub quoted", |m| {
        m.command_line(&format!("{CALM} 'systemd.setenv=SSHD_OPTS=-4 -f /opt/x'"))
    }),
    ("grub default without set, title", |m| chosen(m, "default=\"x (recovery mode)\"", "")),
    ("grub for default", |m| chosen(m, "for default in zz; do true; done", "--id zz")),
    ("grub eval", |m| chosen(m, "eval \"set default=zz\"", "--id zz")),
    ("grub eval joined", |m| chosen(m, "eval \"default=zz\"", "--id zz")),
    ("grub load_env -sf", |m| {
        m.file("boot/grub/env2", "# GRUB Environment Block\nsaved_entry=zz\n");
        chosen(m, "load_env -sf /boot/grub/env2\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("grub load_env prev_saved", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\nprev_saved_entry=zz\n");
        chosen(
            m,
            "load_env\nset saved_entry=\"${prev_saved_entry}\"\nset default=\"${saved_entry}\"",
            "--id zz",
        )
    }),
    ("grub default of next_entry in env", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\nnext_entry=zz\n");
        chosen(m, "load_env\nset default=\"${next_entry}\"", "--id zz")
    }),
    ("grub default in grubenv", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\ndefault=zz\n");
        chosen(m, "load_env", "--id zz")
    }),
    ("grub fallback in grubenv", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\nfallback=zz\n");
        chosen(m, "load_env\nset default=nothere", "--id zz")
    }),
    ("grub default via function arg", |m| {
        chosen(
            m,
            "function f {\n  set saved_entry=\"${1}\"\n}\nf zz\nset default=\"${saved_entry}\"",
            "--id zz",
        )
    }),
    ("grub next entry of another", |m| {
        chosen(m, "regexp --set 1:x '(.*)' zz\nset next_entry=$x\nset default=\"${next_entry}\"", "--id zz")
    }),
    ("grub saved by regexp", |m| {
        chosen(m, "regexp --set 1:saved_entry '(.*)' zz\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("doas split name", |m| doas(m, "etc/doas.conf", "permit nopass adm\\\nin\n")),
    ("doas numeric group primary", |m| {
        m.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:27::/home/admin:/bin/bash\n");
        m.file("etc/group", "root:x:0:\nsudo:x:27:\n");
        m.file("etc/doas.conf", "permit nopass :27\n")
    }),
    ("doas group primary", |m| {
        m.file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:27::/home/admin:/bin/bash\n");
        m.file("etc/group", "root:x:0:\nsudo:x:27:\n");
        m.file("etc/doas.conf", "permit nopass :sudo\n")
    }),
    ("doas hash in quotes", |m| doas(m, "etc/doas.conf", "permit nopass setenv { A=\"#\" } admin\n")),
    ("doas tab and leading zero", |m| doas(m, "etc/doas.conf", "permit\tnopass\t01000\n")),
    ("doas uid hex", |m| doas(m, "etc/doas.conf", "permit nopass +1000\n")),
    ("doas alias of root uid", |m| doas(m, "etc/doas.conf", "permit nopass :root\npermit nopass :admin\n")),
    ("overlayroot disabled then crypt", |m| {
        m.file("etc/overlayroot.conf", "overlayroot=disabled\n. /opt/x\n")
    }),
    ("overlayroot.conf off newline", |m| m.file("etc/overlayroot.conf", "overlayroot=\"\\\ntmpfs\"\n")),
    ("overlayroot comment continuation", |m| {
        m.file("etc/overlayroot.conf", "overlayroot=disabled\\\n,tmpfs\n")
    }),
    ("sshd quoted joined", |m| {
        m.file(DROP, "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D \"-o Include /opt/x\"\n")
    }),
    ("sshd specifier with eq", |m| {
        m.file(DROP, "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -oX=%i -%p\n")
    }),
    ("sshd specifier -o %i", |m| {
        m.file(
            "etc/systemd/system/sshd@.service",
            "[Service]\nExecStart=/usr/sbin/sshd -i -o AuthorizedKeys%i=x\n",
        )
    }),
    ("sshd -f with specifier file", |m| {
        m.file("etc/systemd/system/sshd@.service", "[Service]\nExecStart=/usr/sbin/sshd -i -f /%i\n")
    }),
    ("sshd specifier in program", |m| {
        m.file("etc/systemd/system/sshd@.service", "[Service]\nExecStart=/usr/sbin/../../%i/sshd -i\n")
    }),
    ("program with dots", |m| m.file(DROP, "[Service]\nExecStart=\nExecStart=/usr/sbin/../../opt/sshd -D\n")),
    ("dropbear binds", |m| {
        m.file(
            "etc/systemd/system/dropbear.service.d/x.conf",
            "[Service]\nBindPaths=/srv/e/shadow:/etc/shadow\n",
        )
    }),
    ("sshd percent program of other unit", |m| {
        m.file("etc/systemd/system/sshd2.service", "[Service]\nExecStart=/usr/sbin/ssh\\x64 -D -f /opt/x\n")
    }),
    ("sysv of etc/default sourced more", |m| m.file("etc/default/ssh", ". /opt/x\n")),
    ("unit type socket service", |m| {
        m.file(
            "etc/systemd/system/ssh.socket",
            "[Socket]\nListenStream=22\nAccept=yes\nService=other@.service\n",
        );
        m.file("etc/systemd/system/other@.service", "[Service]\nEnvironment=OPTIONS=-f/opt/x\nExecStart=-/usr/sbin/sshd -i $OPTIONS\nStandardInput=socket\n");
    }),
    ("doas hash in quotes simple", |m| doas(m, "etc/doas.conf", "permit setenv { A=\"#\" } nopass admin\n")),
    ("EnvironmentFile of usr/etc", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=-/etc/ssh/x.env\n");
        m.file("etc/ssh/x.env", "export SSHD_OPTS=\nSSHD_OPTS=-4 \\\n -f /opt/x\n")
    }),
    ("EnvironmentFile backslash name", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=-/etc/ssh/x.env\n");
        m.file("etc/ssh/x.env", "SSHD_OPTS=\"\n-f /opt/x\"\n")
    }),
    ("EnvironmentFile question", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=/etc/default/ss[h]2\n");
        m.file("etc/default/ssh2", "SSHD_OPTS=-f /opt/x\n")
    }),
    ("EnvironmentFile double slash", |m| {
        m.file(DROP, "[Service]\nEnvironmentFile=-/etc//ssh/x.env\n");
        m.file("etc/ssh/x.env", "SSHD_OPTS=-f /opt/x\n")
    }),
    ("sshd_config-less: unit with usr/local", |m| {
        m.file(
            "usr/local/lib/systemd/system/ssh.service.d/x.conf",
            "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -f /opt/x\n",
        )
    }),
    ("load_env quoted -f", |m| {
        m.file("boot/grub/env2", "# GRUB Environment Block\nsaved_entry=zz\n");
        chosen(m, "load_env '-f' /boot/grub/env2\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("load_env blocks named file", |m| {
        m.file("boot/grub/512+1", "# GRUB Environment Block\nsaved_entry=zz\n");
        chosen(m, "load_env -f /boot/grub/512+1\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("load_env of grubenv on fat", |m| {
        m.file("boot/grub/x/grubenv", "# GRUB Environment Block\nsaved_entry=zz\n");
        chosen(
            m,
            "set config_directory=/boot/grub/x\nload_env -f ${config_directory}/grubenv\nset default=\"${saved_entry}\"",
            "--id zz",
        )
    }),
    ("grub export after", |m| chosen(m, "set x=zz\nset default=${x:}", "--id zz")),
    ("grub default concatenated", |m| chosen(m, "set default=z\"z\"", "--id zz")),
    ("grub without set quoted", |m| chosen(m, "default='zz'", "--id zz")),
    ("grub prev_entry env", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\ninitrdfail=1\nprev_entry=zz\n");
        chosen(m, "set next_entry=\"${prev_entry}\"\nset default=\"${next_entry}\"", "--id zz")
    }),
    ("grub saved_entry set by loop", |m| {
        chosen(m, "for saved_entry in zz; do true; done\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("grub saved_entry read", |m| chosen(m, "read saved_entry\nset default=\"${saved_entry}\"", "--id zz")),
    ("grub setparams", |m| chosen(m, "setparams zz\nset default=\"${1}\"", "--id zz")),
    ("cmd overlayroot_cfgdisk", |m| m.command_line(&format!("{CALM} overlayroot_cfgdisk=LABEL=X"))),
    ("ssh.service link to another in usr/lib", |m| {
        m.file("usr/lib/systemd/system/other.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /opt/x\n");
        link(m, "etc/systemd/system/ssh.service", "/usr/lib/systemd/system/other.service")
    }),
    ("other unit Exec only OPTIONS from etc/sysconfig", |m| {
        m.file("etc/remote.env", "OPTIONS=-f /opt/x\n");
        m.file(
            "etc/systemd/system/remote.service",
            "[Service]\nEnvironmentFile=/etc/remote.env\nExecStart=/usr/sbin/sshd -D $OPTIONS\n",
        )
    }),
    ("sshd-second with variable of same name, drop-in of instance", |m| {
        m.file(
            "etc/systemd/system/sshd-second.service",
            "[Service]\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n",
        );
        m.file(
            "etc/systemd/system/sshd-second.service.d/x.conf",
            "[Service]\nEnvironment=\"SSHD_OPTS=-f /opt/x\"\n",
        )
    }),
    ("root directory", |m| {
        m.file(
            "etc/systemd/system/remote.service",
            "[Service]\nRootDirectory=/srv/r\nExecStart=/usr/sbin/sshd -D\n",
        )
    }),
    ("MachineEnvironment in usr/lib/systemd/system.conf", |m| {
        m.file("usr/lib/systemd/system.conf", "[Manager]\nDefaultEnvironment=\"SSHD_OPTS=-f /opt/x\"\n")
    }),
    ("setenv two words", |m| m.command_line(&format!("{CALM} systemd.setenv='SSHD_OPTS=-D -f /opt/x'"))),
    ("doas :027", |m| doas(m, "etc/doas.conf", "permit nopass :027\n")),
    ("doas hash in word", |m| doas(m, "etc/doas.conf", "permit nopass setenv { A=a#b } admin\n")),
    ("source of conf.d in rc", |m| m.file("etc/conf.d/sshd", "case x in x) cfgfile=/opt/x ;; esac\n")),
    ("conf.d local", |m| m.file("etc/conf.d/sshd", "readonly command=/opt/sshd\n")),
    ("grub default via -- of for with saved", |m| {
        chosen(m, "set default=\"${saved_entry}\"\nfor default in zz; do true; done", "--id zz")
    }),
    ("grub load_env whitelist", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\ndefault=zz\n");
        chosen(m, "if [ -s $prefix/grubenv ]; then\n  load_env\nfi", "--id zz")
    }),
    ("grub env timeout fallback", |m| {
        m.file("boot/grub/grubenv", "# GRUB Environment Block\nfallback=zz\n");
        chosen(m, "load_env\nset default=\"nope\"", "--id zz")
    }),
    ("regexp saved", |m| {
        chosen(m, "regexp -s saved_entry '(.*)' zz\nset default=\"${saved_entry}\"", "--id zz")
    }),
    ("regexp default 1:", |m| chosen(m, "regexp --set 1:default '(.*)' zz", "--id zz")),
    ("regexp default -s 1:", |m| chosen(m, "regexp -s 1:default '(.*)' zz", "--id zz")),
    ("smbios default", |m| chosen(m, "smbios --type 1 --get-string 4 --set default", "--id zz")),
];

#[test]
fn stock_files_pass_and_ways_around_are_told() {
    let told = [wrong(HONEST, true), wrong(BYPASS, false)].concat();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Text that is read over and over is no way to keep a server busy.
#[test]
fn what_is_read_over_and_over_ends() {
    const CASES: [fn(&mut Machine); 3] = [
        |m| {
            let user = |number| format!("u{number}:x:{number}:{number}::/:/usr/sbin/nologin\n");
            m.file("etc/passwd", &(2000..22_000).map(user).collect::<String>());
            let rule = |number| format!("permit nopass x{number}\n");
            m.file("etc/doas.conf", &(0..20_000).map(rule).collect::<String>());
        },
        |m| {
            m.file(DROP, &format!("[Service]\n{}", "EnvironmentFile=-/etc/e\n".repeat(20_000)));
            m.file("etc/e", &"OPTIONS=-4\n".repeat(20_000));
        },
        |m| {
            m.file("boot/grub/e.cfg", &format!("a=xxxxxxxxxxxxxxxx\n{}", "a=$a$a\n".repeat(20_000)));
            chosen(m, &"load_env -f /boot/grub/e.cfg\n".repeat(20_000), "");
        },
    ];
    // By the square of their lines these would take hours, and the test would be given up.
    for change in CASES {
        let mut machine = Machine::clean();
        change(&mut machine);
        let Some(verdict) = machine.inspect() else { return };
        assert_ne!(verdict.outcome(), Judged::Pass);
    }
}
