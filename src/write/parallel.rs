//! Records many events in parallel transactions, for imports.
//!
//! Events of one agent take turns anyway (`apply`), so a batch is dealt out by agent. Each lane is a transaction of its own,
//! which is all that an import needs: it can be run again.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::apply::{EventOutcome, Outcome, apply};
use super::event::Event;
use crate::db::Writer;
use crate::error::Result;

/// Stores a batch of events as [`apply`] does, but agent by agent: after an error some agents' events may be stored.
pub async fn apply_in_lanes(writer: &Writer, events: &[Event]) -> Result<Outcome> {
    let lanes = deal(events, writer.parallelism());
    let outcomes = try_join_all(
        lanes
            .iter()
            .map(async |lane| apply(writer, lane.iter().map(|&at| &events[at])).await),
    )
    .await?;
    let mut all = Outcome {
        outcomes: vec![EventOutcome::Duplicate; events.len()],
        ..Outcome::default()
    };
    for (lane, outcome) in lanes.iter().zip(outcomes) {
        all.agents += outcome.agents;
        all.users += outcome.users;
        all.sessions += outcome.sessions;
        for (&at, fate) in lane.iter().zip(outcome.outcomes) {
            all.outcomes[at] = fate;
        }
    }
    Ok(all)
}

/// Deals the events out to at most so many lanes of about the same length, those of one agent to one lane, in their order.
fn deal(events: &[Event], lanes: usize) -> Vec<Vec<usize>> {
    let mut agents: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        agents.entry(&event.agent.external_id).or_default().push(at);
    }
    let mut agents: Vec<_> = agents.into_values().collect();
    // The longest first, each to the lane that is shortest so far.
    agents
        .sort_unstable_by_key(|events| (std::cmp::Reverse(events.len()), events.first().copied()));
    let mut dealt = vec![Vec::new(); lanes.clamp(1, agents.len().max(1))];
    for events in agents {
        if let Some(lane) = dealt.iter_mut().min_by_key(|lane| lane.len()) {
            lane.extend(events);
        }
    }
    for lane in &mut dealt {
        lane.sort_unstable();
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::deal;
    use crate::write::event::Event;

    fn event(agent: &str) -> Event {
        let line = format!(
            r#"{{"agent":{{"external_id":"{agent}"}},"user":{{"platform":"WEB","platform_id":"1"}},"session":{{"external_id":"1"}},
                "message":{{"external_id":"1","role":"user","text":"","sent_at":"2026-01-01T00:00:00Z"}}}}"#
        );
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn an_agent_keeps_to_one_lane_and_lanes_come_out_even() {
        let events: Vec<_> = ["a", "b", "a", "c", "a", "d", "b"].map(event).into();
        assert_eq!(deal(&events, 2), [vec![0, 2, 4, 5], vec![1, 3, 6]]);
        assert_eq!(deal(&events, 1), [vec![0, 1, 2, 3, 4, 5, 6]]);
        assert_eq!(deal(&events, 9).len(), 4);
        assert_eq!(deal(&[], 4), [Vec::<usize>::new()]);
    }
}
