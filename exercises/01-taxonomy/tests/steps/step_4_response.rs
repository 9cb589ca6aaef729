//! Step 4: an answer that was changed on its way, and one that was wrong from the beginning.

use taxonomy::{Asked, Line, Order, Symptom, Wrong, check_digest, check_meaning};

use super::without_panic;

/// What the shop says of order 7.
const BODY: &[u8] = b"{\"order\": 7, \"total\": 4997, \"note\": \"Gr\xfc\xdfe\"}\r\n";

fn digest(body: &[u8]) -> [u8; 32] {
    hmac_sha256::Hash::hash(body)
}

/// Two of 19.99 and one of 9.99: 49.97 in all.
fn order() -> Order {
    let lines =
        vec![Line { quantity: 2, price_cents: 1999 }, Line { quantity: 1, price_cents: 999 }];
    Order { id: 7, version: 3, lines, total_cents: 4997 }
}

const ASKED: Asked = Asked { id: 7, seen_version: 3 };

#[test]
fn a_body_as_it_was_sent_passes() {
    assert_eq!(
        check_digest(BODY, &digest(BODY)),
        Ok(()),
        "the digest is of the bytes as they came, with their last line break, and whether they are \
         UTF-8 or not"
    );
    assert_eq!(check_digest(b"", &digest(b"")), Ok(()), "an empty body has a digest as well");
}

#[test]
fn any_flipped_bit_is_noticed() {
    for place in 0..BODY.len() {
        for bit in 0..8 {
            let mut body = BODY.to_vec();
            body[place] ^= 1 << bit;
            assert_eq!(
                check_digest(&body, &digest(BODY)),
                Err(Symptom::Corrupted),
                "bit {bit} of byte {place} was flipped on the way"
            );
        }
    }
}

#[test]
fn a_byte_more_or_less_is_noticed() {
    let trimmed = BODY.trim_ascii_end();
    let appended = [BODY, b" "].concat();
    let mut last_differs = digest(BODY);
    last_differs[31] ^= 1;

    for (body, stated, what) in [
        (trimmed, digest(BODY), "the line break at its end is missing"),
        (&appended, digest(BODY), "a blank was appended"),
        (b"", digest(BODY), "nothing arrived"),
        (BODY, last_differs, "the last byte of the digest is another: all 32 count"),
    ] {
        assert_eq!(check_digest(body, &stated), Err(Symptom::Corrupted), "{what}");
    }
}

#[test]
fn an_order_that_makes_sense_passes() {
    assert_eq!(check_meaning(&order(), ASKED), Ok(()), "2 × 19.99 + 9.99 is 49.97");
    let newer = Order { version: 4, ..order() };
    assert_eq!(check_meaning(&newer, ASKED), Ok(()), "somebody changed it: newer is fine");
    let empty = Order { lines: vec![], total_cents: 0, ..order() };
    assert_eq!(check_meaning(&empty, ASKED), Ok(()), "an order without lines costs nothing");
    let first = Order { version: 0, ..order() };
    let unseen = Asked { seen_version: 0, ..ASKED };
    assert_eq!(check_meaning(&first, unseen), Ok(()), "who has seen none takes any version");
}

#[test]
fn an_order_that_cannot_be_true_is_refused() {
    let refused = |order: Order| check_meaning(&order, ASKED).map_err(|wrong| wrong.to_string());

    let other = refused(Order { id: 5, ..order() });
    let stale = [2, 1, 0].map(|version| refused(Order { version, ..order() }));
    let total = refused(Order { total_cents: 5247, ..order() });
    let free = refused(Order { total_cents: 0, ..order() });
    let empty = refused(Order { lines: vec![], ..order() });

    let all = [other].into_iter().chain(stale).chain([total, free, empty]);
    let said = all.map(|result| match result {
        Ok(()) => "accepted".to_owned(),
        Err(message) => message,
    });
    insta::assert_snapshot!(
        said.collect::<Vec<_>>().join("\n"),
        "each of these came in time, with status 200, well-formed, and with the right digest",
        @"
        asked for order 7, got 5: don't use the answer, and don't cache it
        version 2 is older than version 3, which was seen before: ask another replica
        version 1 is older than version 3, which was seen before: ask another replica
        version 0 is older than version 3, which was seen before: ask another replica
        the total is 5247, but the lines add up to 4997: don't charge anybody for it
        the total is 0, but the lines add up to 4997: don't charge anybody for it
        the total is 4997, but the lines add up to 0: don't charge anybody for it
        "
    );
}

#[test]
fn the_first_contradiction_is_the_one_that_is_named() {
    let all_wrong = Order { id: 5, version: 2, total_cents: 1, ..order() };
    let two_wrong = Order { id: 7, ..all_wrong.clone() };

    assert_eq!(
        check_meaning(&all_wrong, ASKED),
        Err(Wrong::OtherOrder { asked: 7, got: 5 }),
        "id, version, total, in this order: another order has another version, and that says nothing"
    );
    assert_eq!(
        check_meaning(&two_wrong, ASKED),
        Err(Wrong::OldVersion { seen: 3, got: 2 }),
        "and what is out of date may well have had another total"
    );
}

#[test]
fn an_absurd_quantity_is_a_wrong_answer_and_no_panic() {
    let of = |lines: Vec<Line>, total_cents| Order { lines, total_cents, ..order() };
    let wholesale = vec![Line { quantity: 100_000, price_cents: 50_000 }];
    let absurd = vec![Line { quantity: u32::MAX, price_cents: u32::MAX }; 2];

    let why = "100,000 pieces of 500.00 are a good day, and what they cost is more than a u32 of cents holds";
    let good_day = without_panic(why, || check_meaning(&of(wholesale, 5_000_000_000), ASKED));
    assert_eq!(good_day, Ok(()), "{why}");

    // What is left of their sum when it is cut to 64 bits.
    let cut = 18_446_744_056_529_682_434;
    let why = "the sum of these two lines doesn't fit into a u64: it is computed as it is, not as far as it \
               fits";
    assert_eq!(
        without_panic(why, || check_meaning(&of(absurd, cut), ASKED)),
        Err(Wrong::Total { stated: cut, sum: 36_893_488_130_239_234_050 }),
        "{why}"
    );
}

#[test]
fn a_wrong_answer_has_a_right_digest() {
    // The server adds up wrongly, and then makes the digest of what it says.
    let body = b"{\"order\": 7, \"total\": 5247}";
    let order = Order { total_cents: 5247, ..order() };

    assert_eq!(check_digest(body, &digest(body)), Ok(()), "nobody changed it on the way");
    assert_eq!(
        check_meaning(&order, ASKED),
        Err(Wrong::Total { stated: 5247, sum: 4997 }),
        "a checksum proves that the answer is the one that was sent, not that it is right"
    );
}
