//! The pictures, a function each.

use crate::drawing::Colour::{Series, Text};
use crate::drawing::Drawing;

pub fn all() -> [Drawing; 5] {
    [shop(), timeouts(), layers(), token_bucket(), wake()]
}

fn shop() -> Drawing {
    let mut drawing = Drawing::new(
        "shop",
        "The shop of this book",
        "Users reach two instances of the shop, each with a journal of its orders. Both call four dependencies: the catalogue, without which there is \
         no page; stock and recommendations, which a page can do without; and payments, which move money.",
        250,
    )
    .boxed([185, 8, 110, 30], Text, &["users"])
    .boxed([70, 75, 130, 44], Series(1), &["shop, instance a", "journal of orders"])
    .boxed([280, 75, 130, 44], Series(1), &["shop, instance b", "journal of orders"])
    .arrow(&[[215, 38], [150, 74]])
    .arrow(&[[265, 38], [330, 74]]);
    let dependencies = [
        (1, 104, Series(3), "catalogue", "no page", "without it"),
        (116, 104, Series(2), "stock", "a page can do", "without it"),
        (231, 134, Series(2), "recommendations", "a page can do", "without them"),
        (376, 103, Series(4), "payments", "money moves,", "once"),
    ];
    for (x, width, colour, name, first, second) in dependencies {
        let middle = x + width / 2;
        drawing = drawing
            .boxed([x, 178, width, 62], colour, &[name, first, second])
            .arrow(&[[135, 119], [middle - 9, 177]])
            .arrow(&[[345, 119], [middle + 9, 177]]);
    }
    drawing
}

/// The chain of `deadline/timeouts`: how long each waits for the next, in seconds.
const CHAIN: [(&str, i32); 5] =
    [("client", 30), ("gateway", 25), ("service A", 20), ("service B", 15), ("database", 10)];

fn timeouts() -> Drawing {
    const LEFT: i32 = 78;
    const SECOND: i32 = 13;
    let mut drawing = Drawing::new(
        "timeouts",
        "A chain of timeouts",
        "The client waits 30 seconds, the gateway 25, service A 20, service B 15, and the database has 10: each bar ends before the one above it. \
         Two tries of the database, 20 seconds, end after service B has given up.",
        205,
    );
    for (row, (name, seconds)) in (0..).zip(CHAIN) {
        let y = 8 + row * 28;
        drawing = drawing
            .words([LEFT - 8, y + 15], "end", name)
            .bar([LEFT, y, seconds * SECOND, 21], Series(1))
            .words([LEFT + 6, y + 15], "start", &format!("{seconds} s"));
    }
    let y = 8 + 5 * 28;
    drawing
        .words([LEFT - 8, y + 15], "end", "tried twice")
        .bar([LEFT, y, 10 * SECOND, 21], Series(2))
        .bar([LEFT + 10 * SECOND, y, 10 * SECOND, 21], Series(2))
        .words([LEFT + 6, y + 15], "start", "10 s")
        .words([LEFT + 10 * SECOND + 6, y + 15], "start", "and 10 s")
        .dashed(&[[LEFT + 15 * SECOND, 88], [LEFT + 15 * SECOND, 176]])
        .words([LEFT + 15 * SECOND, 192], "middle", "service B gives up here")
}

fn layers() -> Drawing {
    const LAYERS: [(&str, &str); 6] = [
        ("fallback", "answers whatever went wrong below"),
        ("deadline", "the user's patience, for all tries"),
        ("retry", "each one paid from the budget"),
        ("circuit breaker", "hears how each try ended"),
        ("bulkhead", "a place for each call"),
        ("timeout", "of one try"),
    ];
    let mut drawing = Drawing::new(
        "layers",
        "The layers around a call",
        "From the outermost to the innermost: fallback, deadline, retry with its budget, circuit breaker, bulkhead, the timeout of one try, and then \
         the call to the dependency.",
        306,
    );
    for (number, (name, what)) in (0..).zip(LAYERS) {
        let inset = number * 14;
        let top = 4 + number * 32;
        drawing = drawing
            .boxed(
                [4 + inset, top, 472 - 2 * inset, 298 - 32 * number - 14 * number],
                Series(1),
                &[],
            )
            .words(
                [16 + inset, top + 20],
                "start",
                &format!("<tspan font-weight=\"bold\">{name}</tspan>: {what}"),
            );
    }
    drawing.boxed([165, 196, 150, 28], Series(4), &["the call"])
}

fn token_bucket() -> Drawing {
    let mut drawing = Drawing::new(
        "token-bucket",
        "A token bucket",
        "A token drips into the bucket every 100 milliseconds. The bucket holds ten; what comes when it is full is lost. Each retry takes a whole token \
         out. When the bucket is empty, there is no retry.",
        250,
    )
    .words([240, 16], "middle", "a token every 100 ms")
    .arrow(&[[240, 24], [240, 56]])
    .dashed(&[[168, 62], [312, 62]])
    .words([322, 66], "start", "full, 10 tokens:")
    .words([322, 82], "start", "more are lost")
    .arrow(&[[240, 190], [240, 222]])
    .words([240, 240], "middle", "a retry takes a whole token")
    .words([158, 182], "end", "empty:")
    .words([158, 198], "end", "no retry");
    drawing = drawing.boxed([168, 46, 144, 144], Text, &[]);
    for token in 0..6 {
        let (row, column) = (token / 3, token % 3);
        drawing = drawing.bar([184 + column * 40, 156 - row * 34, 32, 26], Series(3));
    }
    drawing
}

fn wake() -> Drawing {
    const LANES: [(i32, &str); 3] =
        [(70, "the waiter's task"), (240, "the bulkhead"), (410, "the holder of a place")];
    let mut drawing = Drawing::new(
        "wake",
        "Poll, waker and grant",
        "The waiter's task is polled, finds no place, leaves its waker in the bulkhead's queue and answers Pending. The holder gives its place back. The \
         bulkhead takes the first waiter out of the queue, grants it the place, and wakes it by its waker, after the lock. The task is polled again and \
         returns with its permit.",
        310,
    );
    for (x, name) in LANES {
        drawing =
            drawing.boxed([x - 68, 4, 136, 26], Series(1), &[name]).dashed(&[[x, 30], [x, 304]]);
    }
    drawing
        .arrow(&[[70, 62], [236, 62]])
        .words([76, 56], "start", "poll: is there a place?")
        .arrow(&[[240, 92], [74, 92]])
        .words([76, 86], "start", "no: leave the waker")
        .words([76, 118], "start", "Pending: it sleeps")
        .arrow(&[[410, 152], [244, 152]])
        .words([404, 146], "end", "drop the permit")
        .words([250, 176], "start", "grant it to the first waiter,")
        .words([250, 192], "start", "and take its waker along")
        .words([250, 216], "start", "(here the lock ends)")
        .arrow(&[[240, 236], [74, 236]])
        .words([76, 230], "start", "wake")
        .arrow(&[[70, 266], [236, 266]])
        .words([76, 260], "start", "poll: the place is mine")
        .arrow(&[[240, 296], [74, 296]])
        .words([76, 290], "start", "Ready: the permit")
}
