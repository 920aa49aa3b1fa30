//! Workers in other processes, which knows nothing of how they are reached: what they tell comes in by a channel, and
//! what they are told is a state that somebody else passes on.

use std::time::Instant;

use tokio::sync::{mpsc, watch};

use super::{Command, Crew, CrewEnd, Orders, Told};
use crate::engine::error::EngineError;
use crate::engine::parts::Used;
use crate::engine::sample::Sampler;
use crate::engine::worker::Handover;
use crate::measure::{Health, Layout, Sample, Shard, Usage};
use crate::time::Monotonic;
use crate::units::{Nanos, Timestamp};

/// What an agent told. Agents are numbered from 0.
#[derive(Debug)]
pub enum News {
    /// Every planned connection of all agents is open or has failed.
    Settled,
    /// One second of one agent. Each comes once, in the order of its seconds.
    Second {
        /// Its number.
        agent: usize,
        /// The merged shards of its workers.
        shard: Box<Shard>,
        /// What its process used.
        sample: Sample,
    },
    /// An agent has told all.
    Done {
        /// Its number.
        agent: usize,
        /// When its load ended.
        load_ended: Timestamp,
        /// When its last connection had ended.
        ended: Timestamp,
    },
    /// An agent will tell nothing more.
    Lost {
        /// Its number.
        agent: usize,
        /// When it was last heard of.
        at: Timestamp,
        /// Whether it has told all there was until then.
        is_whole: bool,
        /// Whether the others end their load.
        ends_run: bool,
    },
    /// Somebody else gave these orders.
    Ordered(Orders),
    /// Nothing more comes of any agent, and this is why.
    Broken(String),
}

/// How one process fared.
#[derive(Debug)]
pub(in crate::engine) struct Fared {
    /// What it told of itself.
    pub(in crate::engine) health: Health,
    /// When its load ended, and when its last connection had ended; `None` if it did not tell.
    pub(in crate::engine) ends: Option<(Timestamp, Timestamp)>,
}

/// How agents are reached.
#[derive(Debug)]
pub struct Led {
    /// How many there are.
    pub agents: usize,
    /// How many workers they have in all.
    pub all_workers: usize,
    /// The first dial of all, which has come.
    pub origin: Instant,
    /// The time that it takes until all know a command.
    pub notice: Nanos,
    /// What they have been told already: more than nothing where this process follows another that led them.
    pub known: Orders,
    /// Receives what they are told.
    pub orders: watch::Sender<Orders>,
    /// What they tell.
    pub news: mpsc::Receiver<News>,
}

/// Workers in other processes.
#[derive(Debug)]
pub(in crate::engine) struct Fleet {
    led: Led,
    clock: Monotonic,
    fared: Vec<Fared>,
    used: Used,
    /// What the target used, from one second to the next.
    target: Sampler,
    failure: Option<String>,
    /// Whether an agent was lost without which the run does not go on.
    ends_run: bool,
}

impl Fleet {
    /// Agents that play a plan with this layout.
    pub(in crate::engine) fn new(led: Led, layout: &Layout) -> Self {
        let clock = Monotonic::since(led.origin);
        let fared = || Fared {
            health: Health::new(layout),
            ends: None,
        };
        Self {
            fared: std::iter::repeat_with(fared).take(led.agents).collect(),
            used: Used::default(),
            target: Sampler::new(Timestamp::ORIGIN),
            failure: None,
            ends_run: false,
            clock,
            led,
        }
    }
}

impl Crew for Fleet {
    fn workers(&self) -> usize {
        self.led.agents
    }

    fn clock(&self) -> Monotonic {
        self.clock
    }

    fn notice(&self) -> Nanos {
        self.led.notice
    }

    fn begin(&mut self, target: Option<Usage>) {
        self.target.begin(target);
    }

    fn sample(
        &mut self,
        interval: u64,
        now: Timestamp,
        open: u64,
        target: Option<Usage>,
    ) -> Sample {
        let own = self.target.sample(now, open, target);
        Sample {
            target: own.target,
            ..self.used.take(interval)
        }
    }

    fn command(&mut self, command: Command) {
        (self.led.orders).send_if_modified(|orders| {
            let known = *orders;
            orders.add(command);
            *orders != known
        });
    }

    async fn next(&mut self) -> Told {
        if std::mem::take(&mut self.ends_run) {
            return Told::Failed;
        }
        match self.led.news.recv().await {
            None => Told::Gone,
            Some(news) => self.told(news),
        }
    }

    fn give_back(&mut self, _worker: usize, _shard: Shard) {}

    fn end(self) -> CrewEnd {
        CrewEnd {
            failure: self.failure.map(|why| EngineError::Agents { why }),
            fared: self.fared,
        }
    }
}

impl Fleet {
    fn told(&mut self, news: News) -> Told {
        match news {
            News::Settled => Told::Settled,
            News::Ordered(orders) => Told::Ordered(orders),
            News::Second {
                agent,
                shard,
                sample,
            } => {
                self.fared[agent].health.add(&shard, &sample);
                self.used.add(&shard, &sample);
                let last = false;
                Told::Shard(Box::new(Handover {
                    worker: agent,
                    shard: *shard,
                    last,
                }))
            }
            News::Done {
                agent,
                load_ended,
                ended,
            } => {
                self.fared[agent].ends = Some((load_ended, ended));
                Told::Done(agent)
            }
            News::Lost {
                agent,
                at,
                is_whole,
                ends_run,
            } => {
                self.fared[agent].ends = Some((at, at));
                self.ends_run = ends_run;
                match is_whole {
                    true => Told::Done(agent),
                    false => Told::Lost(agent),
                }
            }
            News::Broken(why) => {
                self.failure.get_or_insert(why);
                Told::Failed
            }
        }
    }
}
