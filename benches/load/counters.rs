//! What a request costs: processor time, memory and, where they can be counted, instructions.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::Result;

/// Linux counts processor time in hundredths of a second, on every architecture (`USER_HZ`).
const TICKS: u32 = 100;

/// The fields of /proc/PID/stat after the command's name: the first is the state (proc_pid_stat(5): field 3).
fn stat(pid: u32) -> Option<(String, Vec<u64>)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = text.rsplit_once(')')?;
    let command = head.split_once('(')?.1.to_owned();
    Some((command, tail.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect()))
}

fn field(stat: &[u64], number: usize) -> u64 {
    stat.get(number - 3).copied().unwrap_or(0)
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_millis(1_000 / u64::from(TICKS)) * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// The parent of a process if both are this command.
pub fn parent(pid: u32, command: &str) -> Option<u32> {
    let (name, fields) = stat(pid)?;
    let parent = u32::try_from(field(&fields, 4)).ok()?;
    (name == command && stat(parent)?.0 == command).then_some(parent)
}

/// Processor time of a process, user and kernel.
pub fn process_time(pid: u32) -> Result<Duration> {
    let (_, fields) = stat(pid).ok_or("the server is gone")?;
    Ok(ticks(field(&fields, 14) + field(&fields, 15)))
}

/// Processor time of a process and all its children, those that have ended too.
pub fn family_time(pid: u32) -> Option<Duration> {
    let (_, fields) = stat(pid)?;
    let mut sum: u64 = (14..=17).map(|number| field(&fields, number)).sum();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let child = entry.file_name().to_str().and_then(|name| name.parse().ok());
        let fields = child.and_then(stat).map(|(_, fields)| fields);
        if let Some(fields) = fields.filter(|fields| field(fields, 4) == u64::from(pid)) {
            sum += field(&fields, 14) + field(&fields, 15);
        }
    }
    Some(ticks(sum))
}

/// Memory of a process that is resident now, in MiB.
pub fn resident(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024)
}

/// By what instructions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Instructions {
    /// By the processor if the kernel lets us, else by callgrind if it is installed, else not.
    Auto,
    /// By the processor's own counters, through `perf stat`: user and kernel.
    Perf,
    /// By valgrind's callgrind, on a server of its own: user only, and exact.
    Callgrind,
    /// Not at all.
    Off,
}

impl Instructions {
    /// What is used, and why not something better.
    pub fn settle(self) -> Result<(Self, String)> {
        let (perf, callgrind) = (perf_refuses(), callgrind_refuses());
        match (self, perf, callgrind) {
            (Self::Off, ..) => Ok((Self::Off, "not asked for".to_owned())),
            (Self::Auto | Self::Perf, None, _) => {
                Ok((Self::Perf, "user and kernel, counted by the processor (perf)".to_owned()))
            }
            (Self::Perf, Some(why), _) | (Self::Callgrind, _, Some(why)) => Err(why.into()),
            (Self::Callgrind, _, None) => Ok((Self::Callgrind, "user only, counted by callgrind".to_owned())),
            (Self::Auto, Some(why), None) => Ok((Self::Callgrind, format!("user only, counted by callgrind ({why})"))),
            (Self::Auto, Some(why), Some(also)) => Ok((Self::Off, format!("{why}; {also}"))),
        }
    }
}

/// Why `perf stat` does not count instructions here.
fn perf_refuses() -> Option<String> {
    let output = Command::new("perf").args(["stat", "-x,", "-e", "instructions:u", "true"]).output();
    let Ok(output) = output else { return Some("perf is not installed".to_owned()) };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() && text.lines().any(|line| perf_count(line).is_some()) {
        return None;
    }
    let paranoid = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    Some(if text.contains("<not supported>") {
        "no processor counters here: perf says not supported".to_owned()
    } else {
        format!("perf may not count: kernel.perf_event_paranoid is {}", paranoid.trim())
    })
}

/// The number at the beginning of a line of `perf stat -x,`.
fn perf_count(line: &str) -> Option<u64> {
    line.split_once(',')?.0.parse().ok()
}

fn callgrind_refuses() -> Option<String> {
    let runs = |tool: &str| {
        let status = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    (!runs("valgrind") || !runs("callgrind_control")).then(|| "valgrind is not installed".to_owned())
}

/// Counts the instructions of a process between two moments.
#[derive(Debug)]
pub enum Counter {
    Perf { child: Child, file: PathBuf },
    Callgrind { pid: u32, out: PathBuf },
}

impl Counter {
    /// Begins to count. `folder` takes what the tool writes.
    pub fn start(by: Instructions, pid: u32, folder: &Path) -> Result<Option<Self>> {
        match by {
            Instructions::Off | Instructions::Auto => Ok(None),
            Instructions::Perf => {
                let file = folder.join("perf");
                let child = Command::new("perf")
                    .args(["stat", "-x,", "-e", "instructions:u,instructions:k", "-p", &pid.to_string(), "-o"])
                    .arg(&file)
                    .stdin(Stdio::null())
                    .spawn()?;
                // It says nothing when it has begun; what is counted takes longer than this by far.
                std::thread::sleep(Duration::from_millis(300));
                Ok(Some(Self::Perf { child, file }))
            }
            Instructions::Callgrind => {
                control(&["--instr=on"], pid)?;
                control(&["--zero"], pid)?;
                Ok(Some(Self::Callgrind { pid, out: callgrind_file(folder) }))
            }
        }
    }

    /// Ends it and returns how many.
    pub fn stop(self) -> Result<u64> {
        match self {
            Self::Perf { mut child, file } => {
                signal(child.id(), "INT")?;
                child.wait()?;
                let counts: Vec<u64> = fs::read_to_string(file)?.lines().filter_map(perf_count).collect();
                if counts.is_empty() { Err("perf counted nothing".into()) } else { Ok(counts.iter().sum()) }
            }
            Self::Callgrind { pid, out } => {
                control(&["--dump"], pid)?;
                control(&["--instr=off"], pid)?;
                totals(&out)
            }
        }
    }
}

/// Where callgrind writes: this, and for each dump this with a number.
pub fn callgrind_file(folder: &Path) -> PathBuf {
    folder.join("callgrind")
}

fn control(arguments: &[&str], pid: u32) -> Result<()> {
    let output = Command::new("callgrind_control").args(arguments).arg(pid.to_string()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && text.contains("OK") {
        Ok(())
    } else {
        Err(format!("callgrind_control: {text}").into())
    }
}

/// The sum of the newest dump, which is removed.
fn totals(out: &Path) -> Result<u64> {
    let (folder, name) = (out.parent().ok_or("no folder")?, out.file_name().ok_or("no name")?.to_string_lossy());
    let dumps = fs::read_dir(folder)?.flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.strip_prefix(&format!("{name}."))?.parse::<u32>().ok()?;
        Some((number, entry.path()))
    });
    let (_, newest) = dumps.max().ok_or("callgrind wrote no dump")?;
    let text = fs::read_to_string(&newest)?;
    fs::remove_file(newest)?;
    let line = text.lines().find_map(|line| line.strip_prefix("totals:")).ok_or("a dump without totals")?;
    Ok(line.trim().parse()?)
}

/// Sends a signal.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("kill -{name} {pid}: {status}").into()) }
}
