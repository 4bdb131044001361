//! Topics that come, grow and go while the broker runs (`ReplicationControlManager`).
//!
//! A request is judged against the draft of the image when its turn in the metadata log has come, and all
//! of its records go out in one batch. When they are durable the directories of new partitions are made,
//! and only then is the draft the image and the request answered: a client may produce at once.

mod assignment;
mod auto_create;
mod create;
mod delete;
mod grow;
mod leaving_logs;
mod names;
mod new_logs;
mod refusal;

pub(super) use assignment::Placement;
pub(super) use auto_create::AutoCreations;
pub(super) use create::CreateTopics;
pub(super) use delete::DeleteTopics;
pub(super) use grow::CreatePartitions;
pub(super) use leaving_logs::LeavingLogs;
pub(super) use new_logs::NewLogs;
