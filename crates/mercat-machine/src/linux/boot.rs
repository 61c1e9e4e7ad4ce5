//! With which kernels and command lines boot loaders start the guest.

use super::kernel::each_parameter;
use super::script::{Variables, assign, commands, expanded, first_word};
use super::starts::words;
use super::{Found, lines};
use crate::mounts::Doubt;
use crate::wanted::is_of_grub;
use crate::{KernelFile, Node, Tree};
use mercat_guest::{Kind, resolve};
use std::collections::{BTreeMap, BTreeSet};

/// Scripts that lead to each other.
const DEPTH_MAX: usize = 8;
/// Bytes of the scripts that others lead to.
const FOLLOWED_BYTES_MAX: usize = 16 << 20;
/// Command lines that are looked at.
const LINES_MAX: usize = 10_000;
/// Names and doubts that are told.
const TOLD_MAX: usize = 100;

/// The variable with the parameters of Red Hat's boot loader entries.
const OPTIONS: &str = "kernelopts";

/// Variables that are kept from one start to the next.
const REMEMBERED: [&str; 4] = ["saved_entry", "next_entry", "prev_saved_entry", "prev_entry"];

/// A file by its volume and its path there.
type At<'t> = (&'t str, &'t str);

/// A kernel command line, and where it stands.
pub(super) struct CommandLine<'t> {
    pub(super) found: Found<'t>,
    pub(super) text: String,
}

/// What boot loaders start.
#[derive(Default)]
pub(super) struct Boot<'t> {
    /// The command lines with which the guest may start: of boot loader entries and unified kernel images, else of the
    /// sources from which they are made. Recovery entries do not count.
    pub(super) lines: Vec<CommandLine<'t>>,
    /// Kernels that an entry names, and unified kernel images.
    pub(super) kernels: BTreeMap<At<'t>, Found<'t>>,
    /// Names of kernels in entries that lead to no kernel that was seen.
    pub(super) unknown: BTreeSet<String>,
    /// What boot loaders read and nobody looked into.
    pub(super) doubts: Vec<Doubt>,
}

impl<'t> Boot<'t> {
    /// Reads the scripts and images of a guest.
    pub(super) fn of(tree: &'t Tree) -> Self {
        let mut reader = Reader {
            tree,
            boot: Self::default(),
            of_recovery: Vec::new(),
            starts_recovery: false,
            recoveries: BTreeSet::new(),
            numbers: BTreeSet::new(),
            is_uncounted: false,
            compared: 0,
            defaults: Vec::new(),
            read: BTreeSet::new(),
            started: BTreeSet::new(),
            bytes: 0,
            loaded: 0,
        };
        let mut environment = environment(tree);
        for name in ["default", "fallback"] {
            if let Some(value) = environment.get(name) {
                reader.set(name, value);
            }
        }
        let is_script = |found: &Found<'_>| {
            let is_text = found.node.kernel.is_none() && found.node.name() != "grubenv";
            is_text && found.node.content.is_some() && is_boot(&found.node.path)
        };
        let mut scripts: Vec<Found<'_>> = tree.all().filter(is_script).collect();
        // The others may be read by this one, with its variables.
        scripts.sort_by_key(|found| found.node.name() != "grub.cfg");
        for found in scripts {
            if !reader.read.contains(&at(&found)) {
                let mut variables = environment.clone();
                let directory = format!("/{}", directory(&found.node.path));
                for name in ["prefix", "config_directory", "cmdpath"] {
                    variables.insert(name.to_owned(), directory.clone());
                }
                reader.script(found, &mut variables, &mut Vec::new());
                // What entries are started with where nothing was kept of an earlier start.
                let own = variables.remove(OPTIONS).unwrap_or_default();
                let kept = environment.entry(OPTIONS.to_owned()).or_default();
                if kept.is_empty() && found.node.name() == "grub.cfg" {
                    *kept = own;
                }
            }
        }
        reader.images();
        let is_named = |entry: &String| {
            let name = entry.trim_end_matches(".conf");
            // In menus below others the last part counts.
            let last = name.rsplit('>').next().unwrap_or(name).trim();
            let number = last.parse::<usize>().ok().filter(|_| name.contains('>'));
            reader.recoveries.contains(name)
                || reader.recoveries.contains(last)
                || number.is_some_and(|number| reader.is_uncounted || reader.numbers.contains(&number))
                || is_pattern(entry)
                    && reader
                        .recoveries
                        .iter()
                        .any(|recovery| fits(recovery, entry) || fits(&format!("{recovery}.conf"), entry))
        };
        let by_itself = reader.starts_recovery
            || reader.defaults.iter().any(is_named)
            || environment.get("saved_entry").is_some_and(|entry| is_recovery(entry));
        let mut boot = reader.boot;
        // What are the only entries are those that start, whatever they are called, and so are those that are chosen.
        if boot.lines.is_empty() || by_itself {
            boot.lines.append(&mut reader.of_recovery);
        }
        if boot.lines.is_empty() {
            boot.lines = sources(tree);
        }
        let mounting = boot.lines.iter().filter_map(|line| {
            let word = each_parameter(&line.text).into_iter().find(|word| mounts(word))?;
            let observed = format!("the kernel command line mounts something: {word}");
            Some(Doubt { place: line.found.place(), observed })
        });
        boot.doubts.extend(mounting.take(TOLD_MAX).collect::<Vec<_>>());
        boot
    }
}

/// Whether a parameter mounts something that `fstab` does not name, or keeps its lines from being mounted
/// (systemd-fstab-generator(8), overlayroot of cloud images), or leads to more parameters.
fn mounts(word: &str) -> bool {
    let word = word.strip_prefix("rd.").unwrap_or(word);
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    match name {
        "systemd.mount_extra" | "mount.usr" | "usrhash" | "systemd.verity_usr_data" | "bootconfig" => true,
        "overlayroot" => !["", "disabled"].contains(&value.split(':').next().unwrap_or(value)),
        "overlayroot_cfgdisk" => !["", "disabled"].contains(&value),
        "systemd.volatile" => !is_no(value),
        "fstab" | "systemd.fstab" => is_no(value),
        _ => false,
    }
}

/// Whether a value means no (systemd's `parse_boolean`).
pub(super) fn is_no(value: &str) -> bool {
    ["0", "no", "n", "false", "f", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

/// From what boot loader entries are made.
fn sources(tree: &Tree) -> Vec<CommandLine<'_>> {
    let line = |path: &&str| {
        let found = tree.file(path)?;
        let text = match *path {
            "etc/kernel/cmdline" => found.node.text().into_owned(),
            _ => shell_values(&found.node.text(), &["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"]),
        };
        Some(CommandLine { found, text })
    };
    ["etc/kernel/cmdline", "etc/default/grub"].iter().filter_map(line).collect()
}

/// The values of shell variables, joined.
fn shell_values(text: &str, names: &[&str]) -> String {
    let values = lines(text).filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        names.contains(&name.trim()).then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    values.collect::<Vec<_>>().join(" ")
}

/// Whether a path is one of boot loaders' scripts.
fn is_boot(path: &str) -> bool {
    let path = format!("/{}", path.to_ascii_lowercase());
    !path.starts_with("/etc/")
        && (["/grub/", "/grub2/", "/loader/", "linux/", "/efi/"].iter().any(|place| path.contains(place))
            || ["/cmdline.txt", "/syslinux.cfg", "/extlinux.conf"].iter().any(|name| path.ends_with(name)))
}

/// Whether the entry that a boot loader starts by itself is one for recovery: by its name, or by its number. In menus below
/// others those follow the entries that they are for.
fn is_recovery(entry: &str) -> bool {
    let entry = entry.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    let by_number = match entry.rsplit_once('>') {
        Some((_, number)) => number.parse::<u32>().is_ok_and(|number| number % 2 == 1),
        None => entry.parse::<u32>().is_ok_and(|number| number > 0) || entry.starts_with("0x"),
    };
    entry.contains("recovery") || entry.contains("rescue") || by_number
}

/// Whether what chooses an entry is a pattern (loader.conf(5)).
fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '\\'])
}

/// Whether a name may be meant by a pattern: by what is before its first sign and behind its last; what is between them is
/// taken for anything.
fn fits(name: &str, pattern: &str) -> bool {
    const SIGNS: [char; 5] = ['*', '?', '[', ']', '\\'];
    let front = pattern.split(SIGNS).next().unwrap_or_default();
    let end = pattern.rsplit(SIGNS).next().unwrap_or_default();
    name.starts_with(front) && name.ends_with(end)
}

/// An entry of a menu: its names, its place, and whether it says that it starts by itself.
#[derive(Default)]
struct Named {
    names: Vec<String>,
    place: usize,
    is_default: bool,
}

/// What an open brace belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brace {
    Entry,
    Menu,
    Function,
}

/// How many entries the open menus of GRUB have so far.
#[derive(Default)]
struct Menus {
    /// Of the whole menu first.
    counts: Vec<usize>,
    braces: Vec<Brace>,
    /// Conditions that are open.
    conditions: usize,
    /// Whether an entry stands in a condition, or braces do not fit.
    is_uncounted: bool,
}

impl Menus {
    /// Counts the conditions of a line: words at the beginning of commands, outside of quotes and comments.
    fn conditions(&mut self, line: &str) {
        let (mut quote, mut plain) = (None, String::new());
        for letter in line.chars() {
            match (quote, letter) {
                (Some(open), _) if open == letter => quote = None,
                (None, '"' | '\'') => quote = Some(letter),
                (None, '#') if plain.ends_with([' ', ';']) => break,
                _ => {}
            }
            // What is quoted is no word of the language.
            plain.push(if quote.is_some() || matches!(letter, '"' | '\'') { '_' } else { letter });
        }
        for part in plain.split(';') {
            let mut words = part.split_whitespace().skip_while(|word| ["then", "else", "do"].contains(word));
            match words.next() {
                Some("if" | "for" | "while" | "until") => self.conditions += 1,
                Some("fi" | "done") => self.conditions = self.conditions.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The place of an entry that begins.
    fn entry(&mut self) -> usize {
        self.is_uncounted |= self.conditions > 0;
        if self.counts.is_empty() {
            self.counts.push(0);
        }
        self.braces.push(Brace::Entry);
        let count = self.counts.last_mut();
        count.map_or(0, |count| {
            *count += 1;
            *count - 1
        })
    }

    /// A menu begins, which is an entry of the one that it stands in.
    fn open(&mut self) {
        self.entry();
        if let Some(brace) = self.braces.last_mut() {
            *brace = Brace::Menu;
        }
        self.counts.push(0);
    }

    /// A function begins, which may be called any number of times.
    fn function(&mut self) {
        self.braces.push(Brace::Function);
        self.conditions += 1;
    }

    /// Whether a script that is read here stands inside of a menu, whose entries count there.
    fn read(&mut self) -> bool {
        let is_inside = self.counts.len() > 1;
        self.is_uncounted |= is_inside;
        is_inside
    }

    /// A brace closes.
    fn close(&mut self) {
        match self.braces.pop() {
            Some(Brace::Menu) => drop(self.counts.pop()),
            Some(Brace::Function) => self.conditions = self.conditions.saturating_sub(1),
            Some(Brace::Entry) => {}
            None => self.is_uncounted = true,
        }
    }
}

/// Under which names the entry of a line may be chosen: its title, its id or label, and its file.
fn names_of(line: &str, node: &Node) -> Vec<String> {
    // Their arguments name no entry.
    const OTHERS: [&str; 4] = ["--class", "--users", "--hotkey", "--source"];
    let file = node.name().to_ascii_lowercase();
    let (kind, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let mut names = vec![file.trim_end_matches(".conf").to_owned()];
    if kind == "menuentry" {
        let words = words(rest);
        let is_other = |at: usize| at > 0 && OTHERS.contains(&words[at - 1].as_str());
        let of_words = words.iter().enumerate().filter(|(at, _)| !is_other(*at)).map(|(_, word)| {
            let word = word.strip_prefix("--id=").unwrap_or(word);
            word.trim().to_owned()
        });
        names.extend(of_words);
    } else {
        // The rest of the line is the name.
        let name = rest.trim().trim_start_matches("label ").replace(['"', '\''], "");
        names.extend([name.trim().to_owned(), first_word(rest)]);
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Whether a variable chooses an entry, or is remembered to choose one.
fn is_choice(name: &str) -> bool {
    name == "default" || name == "fallback" || REMEMBERED.contains(&name)
}

/// Whether a command may give a variable that chooses an entry a value that nobody sees: what is found when the machine
/// starts, or typed.
fn may_choose(word: &str, rest: &str) -> bool {
    const ASKING: [&str; 9] =
        ["read", "regexp", "search", "probe", "getenv", "smbios", "cpuid", "for", "eval"];
    let is_asked =
        || rest.split(|letter: char| letter.is_whitespace() || "=:\"'".contains(letter)).any(is_choice);
    ASKING.contains(&word) && is_asked()
}

/// Whether boot loaders look at a file by themselves, not at a copy that a package brings.
fn is_used(tree: &Tree, found: &Found<'_>) -> bool {
    let is_of_boot = |path: &str| ["boot", "efi"].iter().any(|top| path.split('/').next() == Some(top));
    match tree.mounts().find(|(_, volume)| volume.volume == found.volume.volume) {
        Some(("", _)) => is_of_boot(&found.node.path),
        Some((point, _)) => is_of_boot(point),
        None => true,
    }
}

/// Whether a name is one of those that are all kept: what is not there is not on the disk.
fn is_listed(path: &str) -> bool {
    let is_named = [".cfg", ".conf", ".lst", "/grubenv"].iter().any(|end| path.ends_with(end));
    is_of_grub(path) || is_named
}

/// What GRUB keeps from one start to the next.
fn environment(tree: &Tree) -> Variables {
    let named = |found: &Found<'_>| found.node.name() == "grubenv" && found.node.is_file();
    // There may be one for each kind of firmware.
    let rank = |found: &Found<'_>| (!found.node.text().contains(OPTIONS), !is_used(tree, found));
    let found = tree.all().filter(named).min_by_key(rank);
    let text = found.map(|found| found.node.text()).unwrap_or_default();
    let mut variables = Variables::from([(OPTIONS.to_owned(), String::new())]);
    let values = lines(&text).filter_map(|line| line.split_once('='));
    variables.extend(values.map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn at<'t>(found: &Found<'t>) -> At<'t> {
    (&found.volume.volume, &found.node.path)
}

struct Reader<'t> {
    tree: &'t Tree,
    boot: Boot<'t>,
    /// Command lines of entries for recovery.
    of_recovery: Vec<CommandLine<'t>>,
    /// Whether a script chooses one of those by itself.
    starts_recovery: bool,
    /// Names of entries for recovery, and of those that scripts choose.
    recoveries: BTreeSet<String>,
    /// At which places in their menus entries for recovery stand, from zero.
    numbers: BTreeSet<usize>,
    /// Whether those places may be others, because menus or conditions before them were not told apart.
    is_uncounted: bool,
    /// Boot loader entries for recovery that were compared with others.
    compared: usize,
    defaults: Vec<String>,
    /// Scripts that were read.
    read: BTreeSet<At<'t>>,
    /// Programs that entries start.
    started: BTreeSet<At<'t>>,
    /// Bytes of scripts to which others lead.
    bytes: usize,
    /// Variables that were loaded of files.
    loaded: usize,
}

impl<'t> Reader<'t> {
    fn doubt(&mut self, found: &Found<'_>, observed: String) {
        if self.boot.doubts.len() < TOLD_MAX {
            self.boot.doubts.push(Doubt { place: found.place(), observed });
        }
    }

    /// A variable of GRUB gets a value.
    fn set(&mut self, name: &str, value: &str) {
        match name {
            "default" => self.chosen(value),
            // One after another, where those before do not start.
            "fallback" => value.split_whitespace().for_each(|entry| self.chosen(entry)),
            _ => {}
        }
    }

    /// Variables are read of a file, which may be another than GRUB's own.
    fn load(&mut self, found: &Found<'_>, rest: &str, variables: &mut Variables) {
        let is_of_suse = rest.contains("env_block");
        let rest = expanded(rest, variables);
        let given = words(&rest);
        let is_file = |word: &&String| {
            word.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains('f'))
                || *word == "--file"
        };
        let name = match given.iter().find_map(|word| word.strip_prefix("--file=")) {
            Some(name) => name.to_owned(),
            None => given.iter().skip_while(|word| !is_file(word)).nth(1).cloned().unwrap_or_default(),
        };
        let targets = self.named(found, &name).unwrap_or_default();
        let is_kept = targets.is_empty()
            // Blocks of a disk beside btrfs, of which nothing is known where GRUB's own file does not tell.
            && (is_of_suse || path_of(found, &name).is_some_and(|path| is_listed(&path.to_ascii_lowercase())));
        if name.is_empty() || is_kept {
            return;
        }
        self.starts_recovery |= targets.iter().all(|target| target.node.content.is_none());
        for target in targets.iter().filter(|target| target.node.content.is_some()) {
            for (name, value) in lines(&target.node.text()).filter_map(|line| line.split_once('=')) {
                self.loaded += 1;
                if self.loaded > LINES_MAX {
                    let told = format!("a boot loader loads more than {LINES_MAX} variables");
                    return self.doubt(found, told);
                }
                self.set(name, value);
                if REMEMBERED.contains(&name) {
                    self.chosen(value);
                }
                assign(&format!("{name}={value}"), variables);
            }
        }
    }

    /// Takes note of the entry that starts by itself.
    fn chosen(&mut self, entry: &str) {
        // What GRUB remembers was looked at; another variable may hold anything.
        let mut other = entry.to_owned();
        for name in REMEMBERED {
            other = other.replace(&format!("${{{name}}}"), "");
        }
        let is_plain =
            |rest: &str| !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
        let is_known =
            |rest: &str| REMEMBERED.iter().any(|name| rest.strip_prefix(name).is_some_and(is_plain));
        let is_remembered = other.split('$').skip(1).all(is_known);
        self.starts_recovery |= is_recovery(entry) || !is_remembered;
        let entry = entry.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
        if self.defaults.len() < TOLD_MAX && !entry.is_empty() && entry.parse::<u32>().is_err() {
            self.defaults.push(entry);
        }
    }

    /// Reads the configuration of GRUB, boot loader entries, extlinux and plain files.
    fn script(&mut self, found: Found<'t>, variables: &mut Variables, chain: &mut Vec<At<'t>>) {
        self.read.insert(at(&found));
        if found.node.bytes().starts_with(&[0x1f, 0x8b]) {
            return self.doubt(&found, "a compressed script of a boot loader".to_owned());
        }
        let is_used = !chain.is_empty() || is_used(self.tree, &found);
        chain.push(at(&found));
        let text = found.node.text().replace("\\\n", " ");
        let (mut out, mut of_recovery) = (Vec::new(), Vec::new());
        // A file that is nothing but parameters, such as `cmdline.txt`.
        let plain = lines(&text).count() == 1;
        let (mut recovery, mut entries) = (false, 0);
        let (mut entry, mut menus) = (Named::default(), Menus::default());
        let is_custom = found.node.name() == "custom.cfg";
        let is_entry = found.node.path.contains("loader/entries/");
        let is_lowest = is_entry && self.is_lowest(&found, &text);
        let mut memory_test = None;
        let all = lines(&text).flat_map(|whole| commands(whole).into_iter().map(move |line| (whole, line)));
        let mut before = "";
        for (whole, line) in all {
            // Each line may hold several commands.
            if !std::ptr::eq(before, whole) {
                menus.conditions(whole);
                before = whole;
            }
            let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let word = if word.starts_with('$') { expanded(word, variables) } else { word.to_owned() };
            let own: &mut Vec<String> = if recovery { &mut of_recovery } else { &mut out };
            // One more than are looked at shows that there are more.
            own.truncate(LINES_MAX);
            self.starts_recovery |= may_choose(&word, rest);
            match word.replace(['"', '\'', '\\'], "").to_ascii_lowercase().as_str() {
                "submenu" => menus.open(),
                "function" => menus.function(),
                kind @ ("menuentry" | "title" | "label" | "menu") => {
                    let lower = line.to_ascii_lowercase();
                    let names = names_of(&lower, found.node);
                    // In extlinux a second line of the same entry, which may say that it starts by itself.
                    let is_title = kind != "menu" || lower.split_whitespace().nth(1) == Some("label");
                    if kind != "menu" {
                        entry = Named { place: menus.entry(), ..Named::default() };
                        entries += 1;
                    }
                    entry.names.extend(names);
                    entry.is_default |= kind == "menu" && rest.trim().eq_ignore_ascii_case("default");
                    // What comes first is what starts, whatever it is called; those that have a file each have no order.
                    let is_first = if is_entry { !is_lowest } else { entries <= 1 && !is_custom };
                    if is_title {
                        recovery = !is_first && (lower.contains("recovery") || lower.contains("rescue"));
                    }
                    if recovery {
                        self.starts_recovery |= entry.is_default;
                        self.is_uncounted |= menus.is_uncounted;
                        self.numbers.insert(entry.place);
                        self.recoveries.extend(entry.names.iter().cloned());
                    }
                }
                "}" => menus.close(),
                "set" => {
                    let set = first_word(rest);
                    let (name, value) = set.split_once('=').unwrap_or((&set, ""));
                    self.set(name, &expanded(value, variables));
                    assign(rest, variables);
                }
                "default" | "ontimeout" => self.chosen(rest),
                "load_env" => self.load(&found, rest, variables),
                other if other.starts_with("default=") || other.starts_with("fallback=") => {
                    let set = first_word(&expanded(line, variables));
                    let (name, value) = set.split_once('=').unwrap_or((&set, ""));
                    self.set(&name.to_ascii_lowercase(), value);
                }
                "linux" | "linux16" | "linuxefi" | "kernel" => {
                    // In a boot loader entry the parameters are on a line of their own.
                    let is_line = rest.split_whitespace().nth(1).is_some() || rest.contains('$');
                    memory_test = Some(expanded(rest, variables)).filter(|line| is_memory_test(line));
                    if is_line && memory_test.is_none() {
                        own.push(expanded(rest, variables));
                    }
                    if is_used {
                        self.kernel(&found, &expanded(rest, variables));
                    }
                }
                // It takes none: what does is a kernel.
                "initrd" | "initrd16" | "initrdefi" => own.extend(memory_test.take()),
                "options" | "append" => own.push(expanded(rest, variables)),
                "chainloader" | "efi" | "uki" if is_used => {
                    let started = self.named(&found, &expanded(rest, variables)).unwrap_or_default();
                    self.started.extend(started.iter().map(at));
                }
                "configfile"
                | "source"
                | "."
                | "normal"
                | "include"
                | "legacy_configfile"
                | "legacy_source"
                | "syslinux_configfile"
                | "syslinux_source"
                | "extract_entries_configfile"
                    if is_used && !rest.is_empty() =>
                {
                    if !["configfile", "normal"].contains(&word.as_str()) {
                        self.is_uncounted |= menus.read();
                    }
                    self.follow(found, rest, variables, chain);
                }
                _ if plain && line.contains("root=") => own.push(line.to_owned()),
                _ => assign(line, variables),
            }
            if line.ends_with(" }") {
                menus.close();
            }
        }
        chain.pop();
        // What is the only entry is the one that starts, whatever it is called. Of those that have a file each another may.
        let (texts, of_recovery) = match out.is_empty() && !is_entry && !is_custom {
            true => (of_recovery, Vec::new()),
            false => (out, of_recovery),
        };
        let free = LINES_MAX.saturating_sub(self.boot.lines.len());
        if texts.len() > free {
            self.doubt(&found, format!("more than {LINES_MAX} kernel command lines"));
        }
        let line = |text| CommandLine { found, text };
        self.boot.lines.extend(texts.into_iter().take(free).map(line));
        let free = LINES_MAX.saturating_sub(self.of_recovery.len());
        self.of_recovery.extend(of_recovery.into_iter().take(free).map(line));
    }

    /// Whether a boot loader entry for recovery comes behind another one of its machine, as those come that tools make: what
    /// stands first in the order of versions is what starts (the Boot Loader Specification, "Sorting").
    fn is_lowest(&mut self, found: &Found<'t>, text: &str) -> bool {
        let Some((machine, _)) = found.node.name().split_once("-0-rescue") else { return false };
        self.compared += 1;
        let sorts = |line: &str| {
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            key == "sort-key" || key == "version" && !value.trim().starts_with("0-rescue")
        };
        let is_other = |node: &Node| {
            let rest = node.name().strip_prefix(machine).and_then(|rest| rest.strip_prefix('-'));
            let version = rest.and_then(|rest| rest.strip_suffix(".conf"));
            let starts = |line: &str| {
                let word = line.split_whitespace().next().unwrap_or_default();
                ["linux", "efi", "uki"].contains(&word)
            };
            // With tries that are counted it may come last.
            version.is_some_and(|version| {
                version.starts_with(|letter: char| matches!(letter, '1'..='9')) && !version.contains('+')
            }) && lines(&node.text()).any(starts)
        };
        let mut beside = found.volume.below(directory(&found.node.path));
        self.compared < TOLD_MAX && !lines(text).any(sorts) && beside.any(is_other)
    }

    /// Reads what a script leads to.
    fn follow(&mut self, found: Found<'t>, rest: &str, variables: &mut Variables, chain: &mut Vec<At<'t>>) {
        let name = expanded(rest, variables);
        let Some(targets) = self.named(&found, &name) else {
            return self
                .doubt(&found, format!("a boot loader reads {}, which is not told", first_word(&name)));
        };
        let path = path_of(&found, &name).unwrap_or_default().to_ascii_lowercase();
        let unseen = targets.is_empty() && !is_listed(&path);
        let unread = targets.iter().any(|target| target.node.is_file() && target.node.content.is_none());
        let deep = chain.len() >= DEPTH_MAX && targets.iter().any(|target| !chain.contains(&at(target)));
        if unseen || unread || deep || self.bytes > FOLLOWED_BYTES_MAX {
            return self.doubt(&found, format!("a boot loader reads /{path}, where nothing was looked at"));
        }
        for target in targets.into_iter().filter(|target| target.node.content.is_some()) {
            self.bytes += target.node.bytes().len() + 1;
            if !chain.contains(&at(&target)) {
                self.script(target, variables, chain);
            }
        }
    }

    /// A kernel that an entry names.
    fn kernel(&mut self, found: &Found<'t>, line: &str) {
        let mut named = self.named(found, line).unwrap_or_default();
        named.retain(|kernel| kernel.node.is_file());
        let name = first_word(line);
        let says = |kernel: &Found<'_>| {
            kernel.node.kernel.as_ref().is_some_and(|kernel| !kernel.releases.is_empty())
        };
        if is_memory_test(line) && !named.iter().any(says) {
            return;
        }
        // Menus of extlinux.
        let is_other = name.ends_with(".c32");
        if named.is_empty() && !is_other && !name.is_empty() && self.boot.unknown.len() < TOLD_MAX {
            self.boot.unknown.insert(name);
        }
        self.boot.kernels.extend(named.into_iter().map(|kernel| (at(&kernel), kernel)));
    }

    /// Files that a name means on any volume; `None` when the name is not told.
    fn named(&self, found: &Found<'_>, line: &str) -> Option<Vec<Found<'t>>> {
        let path = path_of(found, line)?;
        let on = |volume: &'t crate::VolumeTree| {
            let link = |at: &str| {
                let node = volume.get(at).filter(|node| node.kind == Kind::Symlink)?;
                Some(node.link.clone())
            };
            let node = volume.get(&resolve(&path, &link)?)?;
            Some(Found { volume, node })
        };
        Some(self.tree.volumes.iter().filter_map(on).collect())
    }

    /// Takes the command lines out of unified kernel images that firmware or a boot loader starts. Addons add to them.
    fn images(&mut self) {
        let tree = self.tree;
        let images = tree.all().filter_map(|found| Some((found, found.node.kernel.as_ref()?)));
        let is_addon = |found: &Found<'_>| found.node.name().to_ascii_lowercase().ends_with(".addon.efi");
        let images: Vec<(Found<'t>, &KernelFile)> =
            images.filter(|(found, _)| is_used(tree, found) || self.started.contains(&at(found))).collect();
        let addons = images.iter().filter(|(found, _)| is_addon(found));
        let added = addons.flat_map(|(_, image)| image.lines.clone()).collect::<Vec<_>>().join(" ");
        for (found, image) in images {
            let is_started = self.started.contains(&at(&found));
            let is_program = found.node.name().to_ascii_lowercase().ends_with(".efi");
            if let Some(what) = image.unread.filter(|_| is_program || is_started || image.is_unified) {
                self.doubt(&found, format!("a program that firmware starts, of which nobody read {what}"));
            }
            if image.is_unified {
                self.boot.kernels.insert(at(&found), found);
            }
            if is_addon(&found) {
                continue;
            }
            let mut texts = image.lines.clone();
            // Without a line of its own it has that of its entry, or none.
            if image.is_unified && texts.is_empty() && image.unread.is_none() && !is_started {
                texts.push(String::new());
            }
            let texts = texts.into_iter().map(|text| format!("{text} {added}"));
            self.boot.lines.extend(texts.map(|text| CommandLine { found, text }));
        }
    }
}

/// Whether a line starts the test of memory that distributions bring, which is no kernel and takes no root.
fn is_memory_test(line: &str) -> bool {
    let mut parameters = line.split_whitespace().skip(1);
    first_word(line).rsplit('/').next().is_some_and(|name| name.starts_with("memtest86"))
        && parameters.all(|word| word.starts_with("console="))
}

/// The path on a volume that the first word of a line means; `None` where a variable of it is not known.
fn path_of(found: &Found<'_>, line: &str) -> Option<String> {
    let word = first_word(line);
    // The device, in parentheses, may be any.
    let path = match word.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?.1,
        None => &word,
    };
    if path.contains('$') || path.is_empty() {
        return None;
    }
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", directory(&found.node.path)),
    };
    resolve(&path, &|_| None)
}

#[cfg(test)]
mod tests;
