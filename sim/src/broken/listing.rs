//! Brokers that mistake which groups there are.

use std::collections::{BTreeMap, BTreeSet};

use klamm_core::api::list_groups::{ListGroupsResponse, ListedGroup};
use klamm_core::ids::{ConnectionId, RequestNumber};
use klamm_core::request::{Request, RequestBody, Response, ResponseBody};

use crate::layer::Layer;

/// Leaves the first group out of each second list.
#[derive(Debug, Default)]
pub struct HidesGroups {
    lists: u64,
}

impl Layer for HidesGroups {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::ListGroups(told) = &mut response.body {
            self.lists += 1;
            if self.lists.is_multiple_of(2) && !told.groups.is_empty() {
                told.groups.remove(0);
            }
        }
    }
}

/// Lists that are asked for without filters: what these would leave out is told by another check.
#[derive(Debug, Default)]
struct PlainLists(BTreeSet<(ConnectionId, RequestNumber)>);

impl PlainLists {
    fn note(&mut self, from: ConnectionId, request: &Request) {
        if let RequestBody::ListGroups { request: asked, .. } = &request.body
            && asked.states_filter.is_empty()
            && asked.types_filter.is_empty()
        {
            self.0.insert((from, request.number));
        }
    }

    /// The answer to one.
    fn answer<'a>(
        &mut self,
        to: ConnectionId,
        response: &'a mut Response,
    ) -> Option<&'a mut ListGroupsResponse> {
        match &mut response.body {
            ResponseBody::ListGroups(told) if self.0.remove(&(to, response.number)) => Some(told),
            _ => None,
        }
    }
}

/// Goes on listing groups that are deleted.
#[derive(Debug, Default)]
pub struct ListsDeletedGroups {
    plain: PlainLists,
    listed: BTreeMap<String, ListedGroup>,
}

impl Layer for ListsDeletedGroups {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        self.plain.note(from, request);
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let Some(told) = self.plain.answer(to, response) {
            let listed = told.groups.iter().map(|group| (group.group_id.clone(), group.clone()));
            self.listed.extend(listed);
            told.groups = self.listed.values().cloned().collect();
        }
    }
}

/// Lists groups whose members are at work as empty.
#[derive(Debug, Default)]
pub struct MisstatesGroups {
    plain: PlainLists,
}

impl Layer for MisstatesGroups {
    fn alter_request(&mut self, from: ConnectionId, request: &mut Request) {
        self.plain.note(from, request);
    }

    fn alter_response(&mut self, to: ConnectionId, response: &mut Response) {
        if let Some(told) = self.plain.answer(to, response) {
            for group in &mut told.groups {
                "Empty".clone_into(&mut group.group_state);
            }
        }
    }
}

/// Describes groups that are there as dead.
#[derive(Debug, Default)]
pub struct BuriesGroups {
    described: u64,
}

impl Layer for BuriesGroups {
    fn alter_response(&mut self, _: ConnectionId, response: &mut Response) {
        if let ResponseBody::DescribeGroups(told) = &mut response.body {
            self.described += 1;
            for group in told.groups.iter_mut().filter(|_| self.described.is_multiple_of(3)) {
                "Dead".clone_into(&mut group.group_state);
                group.members.clear();
            }
        }
    }
}

/// Lists all groups, whichever were asked for.
#[derive(Debug, Default)]
pub struct IgnoresFilters;

impl Layer for IgnoresFilters {
    fn alter_request(&mut self, _: ConnectionId, request: &mut Request) {
        if let RequestBody::ListGroups { request: asked, .. } = &mut request.body {
            asked.states_filter.clear();
            asked.types_filter.clear();
        }
    }
}
