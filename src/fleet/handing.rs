//! Hands in what an agent records, record by record, as it stands in its file. The file is the queue: what the broker did
//! not take yet stays there, however long that lasts.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use tokio::sync::watch;

use super::agent::CALL;
use super::joined::{PAUSE, is_final};
use super::message::{self, encode};
use crate::cluster::{Broker, Kind, RunId, Subject};
use crate::measure::Bytes;
use crate::record::Records;

/// How much of the file is whole records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) bytes: u64,
    /// Whether nothing follows.
    pub(super) is_all: bool,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handed {
    /// It goes on.
    Going,
    /// The broker does not take it at the moment, and this is why.
    Trying(String),
    /// It is all there.
    All,
    /// It cannot be handed in.
    Failed(String),
}

/// What is handed in, and as whose.
pub(super) struct Task {
    pub(super) broker: Broker,
    pub(super) run: RunId,
    pub(super) agent: String,
    pub(super) number: u32,
    pub(super) file: PathBuf,
}

impl Task {
    pub(super) async fn run(
        self,
        mut flushed: watch::Receiver<Written>,
        tell: watch::Sender<Handed>,
    ) {
        let outcome = self.hand(&mut flushed, &tell).await;
        tell.send_replace(match outcome {
            Ok(()) => Handed::All,
            Err(why) => Handed::Failed(why),
        });
    }

    async fn hand(
        &self,
        flushed: &mut watch::Receiver<Written>,
        tell: &watch::Sender<Handed>,
    ) -> Result<(), String> {
        let failed = |error: io::Error| format!("its file cannot be read: {error}");
        let mut records = None;
        let mut number = 0;
        loop {
            let Written { bytes, is_all } = *flushed.borrow_and_update();
            let records = match &mut records {
                Some(records) => records,
                // The head is not handed in: the coordinator knows it all.
                None if bytes > 0 => {
                    let file = File::open(&self.file).map_err(failed)?;
                    let begun = Records::behind_head(BufReader::new(file));
                    records.insert(begun.map_err(|error| error.to_string())?)
                }
                None => {
                    flushed
                        .changed()
                        .await
                        .map_err(|_| "it was given up".to_owned())?;
                    continue;
                }
            };
            while records.position() < bytes {
                let record = records.read().map_err(|error| error.to_string())?;
                let is_last = is_all && records.position() >= bytes;
                self.one(number, record, is_last, tell).await?;
                number += 1;
            }
            if is_all {
                return Ok(());
            }
            flushed
                .changed()
                .await
                .map_err(|_| "it was given up".to_owned())?;
        }
    }

    /// Hands in one record, however often it takes.
    async fn one(
        &self,
        number: u64,
        record: Vec<u8>,
        is_last: bool,
        tell: &watch::Sender<Handed>,
    ) -> Result<(), String> {
        let kind = if is_last { Kind::Done } else { Kind::Shard };
        let subject = Subject::of(&self.run, kind, self.number);
        let id = format!("{}.{}.{number}", self.run, self.agent);
        let bytes: bytes::Bytes = encode(&message::Handed {
            agent: self.agent.clone(),
            number,
            record: Bytes(record),
        })
        .into();
        loop {
            match self
                .broker
                .publish(&subject, &id, bytes.clone(), CALL)
                .await
            {
                Ok(_) => {
                    tell.send_if_modified(|handed| {
                        let was_trying = *handed != Handed::Going;
                        *handed = Handed::Going;
                        was_trying
                    });
                    return Ok(());
                }
                Err(error) if is_final(&error) => return Err(error.to_string()),
                Err(error) => {
                    tell.send_replace(Handed::Trying(error.to_string()));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
