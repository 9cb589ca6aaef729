// Questions: a prediction is asked first, and what gives its answer is covered until the reader has chosen, or asks to
// see it. Answers that were opened stay open.
'use strict';

(() => {
    const { page, recall, remember, make } = window.blastRadius;

    // A question's own words are its key: they stay the same when the page around them is edited. Two questions in the
    // same words are told apart by their order.
    const keys = new Map();
    const keyOf = words => {
        const key = `${page}: ${words.replace(/\s+/g, ' ').trim()}`;
        const before = keys.get(key) ?? 0;
        keys.set(key, before + 1);
        return before === 0 ? key : `${key} [${before + 1}]`;
    };

    const isQuestion = box => box?.matches('blockquote')
        && /^(Predict|Check)\b/.test(box.querySelector('strong')?.textContent ?? '') && box.querySelector('ul');

    // A sketch may stand between a question and its answer.
    const beside = (part, way) => (part[way]?.matches('.sketch') ? part[way][way] : part[way]);

    for (const answer of document.querySelectorAll('details.answer')) {
        const asked = beside(answer, 'previousElementSibling');
        const summary = answer.querySelector('summary').textContent;
        // "Answer" alone says nothing: the question stands before it.
        const key = keyOf(isQuestion(asked) ? `${summary}: ${asked.textContent}` : summary);
        answer.open = recall(key) !== null;
        answer.addEventListener('toggle', () => remember(key, answer.open && 'open'));
        if (summary.trim().endsWith('?')) {
            addMark(answer, `${key} mark`);
        }
    }

    // A question without choices is marked by the reader, who has read the answer.
    function addMark(answer, key) {
        const shown = make('span', { className: 'mark' });
        answer.querySelector('summary').append(shown);
        const marks = make('p', { className: 'marks' });
        const buttons = [['known', 'I had that'], ['again', 'Not yet']].map(([mark, text]) => {
            const button = make('button', { type: 'button', className: 'plain-button', textContent: text });
            button.addEventListener('click', () => {
                remember(key, recall(key) === mark ? '' : mark);
                show();
            });
            marks.append(button);
            return [mark, button];
        });
        const show = () => {
            const mark = recall(key);
            shown.textContent = { known: ' ✓ known', again: ' ↻ again' }[mark] ?? '';
            buttons.forEach(([its, button]) => button.setAttribute('aria-pressed', String(its === mark)));
        };
        answer.append(marks);
        show();
    }

    // The choices become radio buttons. The answer below begins with the right one, as "(b)".
    function question(box) {
        const choices = box.querySelector('ul');
        const key = keyOf(box.textContent);
        const next = beside(box, 'nextElementSibling');
        const answer = next?.matches('details.answer') ? next : null;
        const right = /^\s*(\([a-z]\))/.exec(answer?.querySelector('p')?.textContent ?? '')?.[1];
        const isPrediction = box.querySelector('strong').textContent.startsWith('Predict');
        const covers = [];
        let settled = recall(key) !== null || (answer?.open ?? false);

        const verdict = make('p', { className: 'verdict' });
        verdict.setAttribute('role', 'status');
        const tell = choice => {
            const says = isPrediction ? 'the run says' : 'the answer is';
            verdict.textContent = choice === right ? `${choice} is right.` : `You chose ${choice}; ${says} ${right}.`;
        };
        const settle = () => {
            settled = true;
            decide.hidden = true;
            covers.splice(0).forEach(lift => lift());
        };
        const commit = () => {
            const choice = choices.querySelector('input:checked')?.value;
            if (!choice) {
                return;
            }
            remember(key, choice);
            if (right) {
                tell(choice);
                answer.open = true;
            }
            settle();
        };

        // Arrow keys choose on their way from one choice to the next: who uses them says when it is the last.
        let how = '';
        const decide = make('button', { type: 'button', className: 'plain-button', hidden: true,
            textContent: isPrediction ? 'This is my prediction' : 'This is my answer' });
        decide.addEventListener('click', commit);
        choices.addEventListener('pointerdown', () => { how = 'pointer'; });
        choices.addEventListener('keydown', event => {
            how = event.key;
            if (how === 'Enter') {
                commit();
            }
        });

        choices.setAttribute('role', 'radiogroup');
        choices.setAttribute('aria-label', isPrediction ? 'Your prediction' : 'Your answer');
        choices.classList.add('choices');
        for (const item of choices.children) {
            item.setAttribute('role', 'none');
            const label = make('label', {}, ...item.childNodes);
            const radio = make('input', { type: 'radio', name: key, value: label.textContent.trim().slice(0, 3) });
            radio.checked = radio.value === recall(key);
            radio.addEventListener('change', () => {
                if (how.startsWith('Arrow') && !settled) {
                    decide.hidden = false;
                } else {
                    commit();
                }
            });
            label.prepend(radio);
            item.append(label);
        }
        box.append(decide, verdict);
        if (right && recall(key)) {
            tell(recall(key));
        }
        // Who opens the answer has seen it.
        answer?.addEventListener('toggle', () => answer.open && settle());

        return {
            // Covers a part of the page that gives the answer. A search in the page, or a link into it, finds it all the same.
            cover(part) {
                // An address that carries a run of this figure is an answer too.
                const figures = [...part.querySelectorAll('figure')].map(figure => figure.id.replace('figure-', ''));
                if (settled || figures.some(name => new URLSearchParams(location.search).has(name))) {
                    return;
                }
                const button = make('button', { type: 'button', className: 'plain-button', textContent: 'Show me' });
                const notice = make('div', { className: 'cover' },
                    make('p', { textContent: 'What happened is covered until you have predicted it above.' }), button);
                part.setAttribute('hidden', 'until-found');
                part.before(notice);
                part.addEventListener('beforematch', settle);
                button.addEventListener('click', () => {
                    settle();
                    if (answer) {
                        answer.open = true;
                    }
                    part.tabIndex = -1;
                    part.focus();
                });
                covers.push(() => {
                    part.hidden = false;
                    notice.remove();
                });
            },
        };
    }

    let last = null;
    for (const part of document.querySelectorAll('main blockquote, main .covered')) {
        if (isQuestion(part)) {
            last = question(part);
        } else if (part.matches('.covered')) {
            last?.cover(part);
        }
    }
})();
