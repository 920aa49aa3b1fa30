//! Seconds that are over, in the form that travels between machines: with the names of topics and cohorts.

use serde::{Deserialize, Serialize};

use super::TopicIndex;
use super::second::{ClosedSecond, Deliveries, HeardBy, TopicChange};
use crate::measure::layout::{Layout, Window};
use crate::measure::wire::WireError;

/// Seconds that are over, by name.
#[derive(Serialize, Deserialize)]
pub(in crate::measure) struct DeliveriesOnWire {
    seconds: Vec<SecondOnWire>,
    done_from: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct SecondOnWire {
    second: u64,
    /// The number of the window; 0 is the time that is not measured.
    window: usize,
    /// Topic and count.
    published: Vec<(String, u32)>,
    /// Topic, cohort, change of members, and their own messages.
    members: Vec<(String, String, i32, u32)>,
    /// Cohort, received and unsure.
    heard: Vec<(String, u32, u32)>,
}

impl DeliveriesOnWire {
    /// Names what the indices mean.
    pub(in crate::measure) fn of(deliveries: &Deliveries, layout: &Layout) -> Self {
        let topic = |index: TopicIndex| layout.topics[usize::from(index)].clone();
        let cohort = |index: u8| layout.cohorts[usize::from(index)].0.clone();
        let second = |closed: &ClosedSecond| SecondOnWire {
            second: closed.second,
            window: closed.window.number(),
            published: (closed.published.iter())
                .map(|(index, count)| (topic(*index), *count))
                .collect(),
            members: (closed.members.iter())
                .map(|of| (topic(of.topic), cohort(of.cohort), of.change, of.own))
                .collect(),
            heard: (closed.heard.iter())
                .map(|by| (cohort(by.cohort), by.received, by.unsure))
                .collect(),
        };
        Self {
            seconds: deliveries.seconds.iter().map(second).collect(),
            done_from: deliveries.done_from.clone(),
        }
    }

    /// Finds the indices of the names.
    ///
    /// # Errors
    /// If a name is not of this plan, or there are more seconds than a shard may have.
    pub(in crate::measure) fn deliveries(self, layout: &Layout) -> Result<Deliveries, WireError> {
        let count = self.seconds.len().max(self.done_from.len());
        if count > Deliveries::MAX {
            return Err(WireError::TooMany(count));
        }
        let topic = |name: String| match layout.topics.binary_search(&name) {
            Ok(index) => Ok(index as TopicIndex),
            Err(_) => Err(WireError::Unknown(format!("topic `{name}`"))),
        };
        let cohort = |name: String| {
            let index = layout.cohorts.iter().position(|(known, _)| *known == name);
            let unknown = || WireError::Unknown(format!("cohort `{name}`"));
            index.map(|index| index as u8).ok_or_else(unknown)
        };
        let second = |second: SecondOnWire| {
            let window = Window::numbered(second.window, layout);
            let unknown = || WireError::Unknown(format!("window {}", second.window));
            let published = second.published.into_iter();
            let members = second.members.into_iter();
            let heard = second.heard.into_iter();
            Ok(ClosedSecond {
                second: second.second,
                window: window.ok_or_else(unknown)?,
                published: published
                    .map(|(name, count)| Ok((topic(name)?, count)))
                    .collect::<Result<_, WireError>>()?,
                members: members
                    .map(|(name, of, change, own)| {
                        Ok(TopicChange {
                            topic: topic(name)?,
                            cohort: cohort(of)?,
                            change,
                            own,
                        })
                    })
                    .collect::<Result<_, WireError>>()?,
                heard: heard
                    .map(|(by, received, unsure)| {
                        Ok(HeardBy {
                            cohort: cohort(by)?,
                            received,
                            unsure,
                        })
                    })
                    .collect::<Result<_, WireError>>()?,
            })
        };
        Ok(Deliveries {
            seconds: (self.seconds.into_iter())
                .map(second)
                .collect::<Result<_, WireError>>()?,
            done_from: self.done_from,
        })
    }
}
