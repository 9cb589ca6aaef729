//! Step 5: replicas of which some may say anything.

use taxonomy::{Vote, vote};

use super::without_panic;

/// A letter for each replica's answer, `-` for none.
fn replies(letters: &str) -> Vec<Option<char>> {
    letters.chars().map(|letter| (letter != '-').then_some(letter)).collect()
}

fn decided(answer: char, dissenting: &[usize]) -> Vote<char> {
    Vote::Decided { answer, dissenting: dissenting.to_vec() }
}

#[test]
fn four_replicas_outvote_one_liar_and_name_it() {
    assert_eq!(vote(&replies("AAAA"), 1), decided('A', &[]), "all say the same");

    for (answers, liar) in [("XAAA", 0), ("AXAA", 1), ("AAXA", 2), ("AAAX", 3)] {
        assert_eq!(
            vote(&replies(answers), 1),
            decided('A', &[liar]),
            "{answers}: three agree, and at most one lies"
        );
    }
}

#[test]
fn fewer_than_3f_plus_1_replicas_cannot_decide() {
    for (answers, faulty, needed) in [("AAA", 1, 4), ("", 0, 1), ("AAAAAA", 2, 7)] {
        assert_eq!(
            vote(&replies(answers), faulty),
            Vote::TooFewReplicas { needed },
            "{answers:?} for {faulty}: however well they agree. One may be down and another may lie, \
             and what is left has to outnumber the liars: 3f + 1"
        );
    }
}

#[test]
fn a_number_of_liars_that_no_cluster_could_bear_is_no_panic() {
    let why = "3f + 1 doesn't fit into a usize here: four replicas are too few all the same, and the most that \
               a usize holds is what is needed";
    let answer = without_panic(why, || vote(&replies("AAAA"), usize::MAX));
    assert_eq!(answer, Vote::TooFewReplicas { needed: usize::MAX }, "{why}");
}

#[test]
fn a_silent_replica_is_no_obstacle() {
    assert_eq!(
        vote(&replies("AA-A"), 1),
        decided('A', &[]),
        "there are four replicas, of which one is down. It has not contradicted anybody"
    );
    assert_eq!(
        vote(&replies("XA-A"), 1),
        decided('A', &[0]),
        "f + 1 = 2 equal answers are enough, for one of the two is honest: who waits for 2f + 1 = 3 \
         waits for the one that is slow"
    );
    assert_eq!(
        vote(&replies("AA--"), 1),
        decided('A', &[]),
        "also when no more than these two have come: the others need not be waited for"
    );
    assert_eq!(
        vote(&replies("B-A---A-"), 1),
        decided('A', &[0]),
        "nor does it take more equal answers where there are more replicas than 3f + 1: of eight, of which \
         one may lie, two that agree are proof"
    );
}

#[test]
fn too_few_equal_answers_are_undecided() {
    for (answers, faulty, why) in [
        ("ABCD", 1, "no two agree"),
        ("A---", 1, "all that answered agree, but it is one, and it may be the liar"),
        ("AA-----", 2, "both may lie: a majority of the answers is not f + 1"),
        ("AAB-C--", 2, "two for A is the most, and not enough"),
        ("----", 1, "nobody said anything, which is not an answer that four agree on"),
    ] {
        assert_eq!(vote(&replies(answers), faulty), Vote::Undecided, "{answers}: {why}");
    }
}

#[test]
fn a_tie_is_undecided() {
    for (answers, faulty) in
        [("AABB", 1), ("BAAB", 1), ("AABBCC", 1), ("AAABBB-", 2), ("AAAABBB", 2)]
    {
        assert_eq!(
            vote(&replies(answers), faulty),
            Vote::Undecided,
            "{answers}: if no more than {faulty} lie, an honest one stands behind each of the \
             answers, and they have not agreed. None of them is proven, not even the one with more \
             votes or the one that came first"
        );
    }
}

#[test]
fn two_liars_of_seven_are_outvoted_whether_they_agree_or_not() {
    for (answers, dissenting) in [("XXAAAAA", vec![0, 1]), ("XA-AYA-", vec![0, 4])] {
        assert_eq!(
            vote(&replies(answers), 2),
            decided('A', &dissenting),
            "{answers}: three or more agree. Liars that agree with each other are still two"
        );
    }
}

#[test]
fn without_liars_one_answer_is_enough() {
    assert_eq!(vote(&replies("A"), 0), decided('A', &[]), "0 may lie, so 0 + 1 answer is proof");
    assert_eq!(
        vote(&replies("AAAAB"), 0),
        Vote::Undecided,
        "but none may lie, and one of these does: the assumption is wrong"
    );
}
