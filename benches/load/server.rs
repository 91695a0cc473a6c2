//! The server: the real binary in a process of its own, with the settings it has by default.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tonic::transport::{Channel, Endpoint};

use super::{
    Result,
    counters::{self, Instructions},
};

/// What a start may take, under callgrind too.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a stop may take, beyond the time that calls have to finish.
const STOPPING: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Server {
    child: Child,
    endpoint: Endpoint,
}

impl Server {
    /// Starts it and waits until it lets clients in. What it logs goes to a file in `folder`.
    pub async fn start(url: &str, folder: &Path, under: Option<Instructions>) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let binary = env!("CARGO_BIN_EXE_subprocessor-registry");
        let mut command = match under {
            Some(Instructions::Callgrind) => {
                let mut command = Command::new("valgrind");
                command
                    .args(["--tool=callgrind", "--instr-atstart=no"])
                    .arg(format!("--callgrind-out-file={}", counters::callgrind_file(folder).display()))
                    .arg(binary);
                command
            }
            _ => Command::new(binary),
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--database-url", url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("server.log"))?)
            .spawn()?;
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?.tcp_nodelay(true);
        let mut server = Self { child, endpoint };
        let begun = Instant::now();
        while server.endpoint.connect().await.is_err() {
            if let Some(status) = server.child.try_wait()? {
                let log = std::fs::read_to_string(folder.join("server.log"))?;
                return Err(format!("the server did not start: {status}\n{log}").into());
            }
            if begun.elapsed() > PATIENCE {
                return Err("the server did not start in time".into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Connections of their own.
    pub async fn connect(&self, count: usize) -> Result<Vec<Channel>> {
        let mut channels = Vec::with_capacity(count);
        for _ in 0..count {
            channels.push(self.endpoint.connect().await?);
        }
        Ok(channels)
    }

    /// Stops it as an operator does.
    pub async fn stop(mut self) -> Result<()> {
        counters::signal(self.pid(), "TERM")?;
        let begun = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("the server stopped with {status}").into()),
                None if begun.elapsed() > STOPPING => return Err("the server did not stop".into()),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
