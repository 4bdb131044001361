//! Whatever clients do: groups hang together, everybody is answered once, and in the end nobody is left.

use super::*;

/// What a client knows, right or wrong.
#[derive(Clone, Default)]
struct Client {
    member_id: String,
    instance_id: Option<&'static str>,
    generation: i32,
}

struct Crowd {
    scene: Scene,
    clients: Vec<Client>,
    /// Who asked what is waited for.
    asked: BTreeMap<Asker, usize>,
    /// Who has joined and means to go on.
    joined: Vec<usize>,
}

const PROTOCOLS: &[&[(&str, &[u8])]] = &[
    &[("range", SUBSCRIPTION)],
    &[("range", OTHER_SUBSCRIPTION), ("sticky", SUBSCRIPTION)],
    &[("sticky", b"?"), ("range", b""), ("sticky", b"twice")],
    &[("other", b"")],
];

impl Crowd {
    fn new(seed: u8) -> Self {
        let mut scene = Scene::new();
        scene.rng = Rng::from_seed([seed; 32]);
        let (max, delay_ms) = (scene.rng.below(8), scene.rng.below(5_000));
        scene.config.members_max = if max < 3 { i32::MAX } else { max as i32 };
        scene.config.initial_rebalance_delay_ms = delay_ms as i32;
        scene.batch_bytes_max = 300 + scene.rng.below(3_000) as usize;
        let client = |at: usize| Client {
            instance_id: [None, None, None, Some("a"), Some("b"), Some("a")][at % 6],
            ..Client::default()
        };
        Self {
            scene,
            clients: (0..8).map(client).collect(),
            asked: BTreeMap::new(),
            joined: Vec::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.scene.rng.below(bound as u64) as usize
    }

    fn step(&mut self) {
        let mut at = self.below(self.clients.len());
        if self.below(2) == 0
            && let Some(joined) = self.joined.pop()
        {
            at = joined;
            self.sync(at);
        }
        match self.below(20) {
            0..5 => self.join(at),
            5..8 => self.sync(at),
            8..13 => {
                let Client { member_id, instance_id, generation } = self.clients[at].clone();
                self.scene.heartbeat_as(&member_id, generation, instance_id);
            }
            13 => {
                let Client { member_id, generation, .. } = self.clients[at].clone();
                self.scene.commit(&member_id, generation);
            }
            14 => {
                let Client { member_id, instance_id, .. } = self.clients[at].clone();
                let by_instance = self.below(3) == 0;
                self.scene.leave(&[(if by_instance { "" } else { &member_id }, instance_id)]);
            }
            15 => {
                let (other, wrong) = (self.below(self.clients.len()), self.below(3) as i32 - 1);
                self.clients[at].member_id = self.clients[other].member_id.clone();
                self.clients[at].generation += wrong;
            }
            16 => self.clients[at].member_id.clear(),
            17 if self.below(20) == 0 => {
                self.scene.restart();
                self.asked.clear();
            }
            _ => {
                let ms = [1, 1_000, 4_000, 20_000][self.below(4)];
                self.scene.pass(ms);
            }
        }
        self.hear();
    }

    fn join(&mut self, at: usize) {
        let client = self.clients[at].clone();
        let version = [0, 3, 4, 8, 9][self.below(5)];
        let wrong = self.below(12);
        let asker = self.scene.ask_join(Joining {
            version,
            instance_id: client.instance_id,
            protocols: PROTOCOLS[if wrong == 0 { 3 } else { wrong % 3 }],
            rebalance_ms: [-1, 0, 5_000, 30_000][wrong % 4],
            ..Joining::with(&client.member_id)
        });
        self.asked.insert(asker, at);
    }

    fn sync(&mut self, at: usize) {
        let Client { member_id, instance_id, generation } = self.clients[at].clone();
        let known: Vec<_> = self.clients.iter().map(|client| client.member_id.clone()).collect();
        let large = "x".repeat(if self.below(20) == 0 { 3_000 } else { 3 });
        let parts: Vec<_> = known.iter().map(|id| (id.as_str(), large.as_str())).collect();
        let asker = self.scene.ask_sync(&Syncing {
            version: 3,
            instance_id,
            protocol: (None, None),
            parts: &parts,
            ..Syncing::new(&member_id, generation)
        });
        self.asked.insert(asker, at);
    }

    /// Clients take in what they are told.
    fn hear(&mut self) {
        for (asker, body) in std::mem::take(&mut self.scene.answers) {
            let Some(at) = self.asked.remove(&asker) else { continue };
            let ResponseBody::JoinGroup(told) = body else { continue };
            if !told.member_id.is_empty() {
                self.clients[at].member_id = told.member_id;
            }
            if told.error_code.is_none() {
                self.clients[at].generation = told.generation_id;
                self.joined.push(at);
                let leads = told.leader == self.clients[at].member_id;
                assert!(leads || told.members.is_empty());
            }
        }
    }
}

#[test]
fn groups_hang_together_whatever_clients_do() {
    let (mut rounds, mut stable) = (0, 0);
    for seed in 1..=120 {
        let mut crowd = Crowd::new(seed);
        for _ in 0..400 {
            crowd.step();
            if let Some(Group::Classic(group)) = crowd.scene.shard.groups.get(G) {
                stable += usize::from(group.state == State::Stable);
            }
        }
        crowd.scene.pass(4_000_000);
        assert!(crowd.scene.waiting.is_empty(), "seed {seed}: {:?}", crowd.scene.waiting);
        let group = crowd.scene.group();
        assert_eq!(group.state, State::Empty, "seed {seed}");
        assert!(crowd.scene.shard.deadline().is_none(), "seed {seed}");
        rounds += group.generation;
        // What is in the log is what is known.
        let (generation, since) = (group.generation, group.state_since_ms);
        crowd.scene.restart();
        let group = crowd.scene.group();
        assert_eq!((group.generation, group.state_since_ms), (generation, since), "seed {seed}");
    }
    assert!(rounds > 1_000 && stable > 1_000, "{rounds} rounds, {stable} steps in a stable group");
}
