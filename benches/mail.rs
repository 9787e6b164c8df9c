//! Mail and bells between two actors on one thread.

use actix::{Actor, Context, Handler, Message, System};
use actors::mail::{Bell, Mail};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Rings before the actor gets to hear them.
const RINGS: u64 = 100;

#[derive(Message)]
#[rtype(result = "u64")]
struct Ask(u64);

#[derive(Default, Message)]
#[rtype(result = "()")]
struct Wake;

/// Never says that it heard the bell.
struct Sleeper;

impl Actor for Sleeper {
    type Context = Context<Self>;
}

impl Handler<Ask> for Sleeper {
    type Result = u64;

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> u64 {
        ask.0
    }
}

impl Handler<Wake> for Sleeper {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Self::Context) {}
}

fn messages(criterion: &mut Criterion) {
    let system = System::new();
    let (mail, bell) = system.block_on(async {
        let sleeper = Sleeper.start();
        let mail = Mail::new(sleeper.clone().recipient::<Ask>(), 1);
        (mail, Bell::new(sleeper.recipient::<Wake>()))
    });
    let mut group = criterion.benchmark_group("mail");
    group.bench_function("round_trip", |bencher| {
        bencher.iter(|| system.block_on(async { mail.send(Ask(1)).await.expect("it lives") }));
    });
    group.throughput(Throughput::Elements(RINGS));
    group.bench_function("ring_a_ringing_bell", |bencher| {
        bencher.iter(|| (0..RINGS).for_each(|_| bell.ring()));
    });
    group.finish();
}

criterion_group!(benches, messages);
criterion_main!(benches);
