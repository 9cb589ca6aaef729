// Toys: the reference, touched an action or a number at a time. What it answers was recorded as a table, through which
// this walks; where the table ends, a page that is served asks the lab.
'use strict';

(() => {
    const { control, load, make, together, usual } = window.blastRadius;
    const EXAMPLE = {
        actions: 'An example, step by step',
        numbers: 'An example',
        order: 'The book\'s order, and two neighbours swapped',
        journey: 'The turning points',
    };
    const END = 'The recorded table ends here: go back a step. Served by `cargo xtask book`, this page asks the reference.';

    async function begin(box) {
        const { toy: name, lab } = box.dataset;
        const table = await load(`toys/${name}`);
        const { toy, labels, words } = table;
        const live = window.blastRadius.live;
        const ask = (actions, knobs) => live.play({ lab, toy: name, actions, knobs });

        const example = make('details', { className: 'toy-example' },
            make('summary', { textContent: EXAMPLE[toy.kind] }),
            ...box.childNodes);
        const said = make('p', { className: 'toy-said' });
        said.setAttribute('role', 'status');
        const facts = labels.map(label => ({ label, value: make('dd'), row: null }));
        const list = make('dl', { className: 'toy-facts' }, ...facts.map(fact => {
            fact.row = make('div', {}, make('dt', { textContent: fact.label }), fact.value);
            return fact.row;
        }));
        const show = (seen, before) => {
            said.textContent = together(seen.said);
            facts.forEach(({ value, row }, index) => {
                value.textContent = together(seen.facts[index]);
                row.classList.toggle('changed', before !== undefined && before.facts[index] !== seen.facts[index]);
            });
        };
        const head = make('p', { className: 'toy-about', id: `${box.id}-about`, textContent: toy.about });
        box.setAttribute('role', 'group');
        box.setAttribute('aria-labelledby', head.id);

        const { order, journey } = window.blastRadius;
        const kind = { actions, numbers, order, journey }[toy.kind];
        const parts = kind({ toy, table, labels, words, live, ask, said, show, name });
        box.replaceChildren(head, ...parts.above, said, list, ...parts.below, example);
        parts.keys && box.addEventListener('keydown', parts.keys);
        if (toy.sheet) {
            const put = make('button', { type: 'button', className: 'plain-button', textContent: 'Put it on the checklist' });
            const done = make('span', { className: 'toy-done' });
            done.setAttribute('role', 'status');
            put.addEventListener('click', () => {
                window.blastRadius.sheet.add(toy.sheet, said.textContent);
                done.textContent = ` It is on the sheet “${window.blastRadius.sheet.name()}”.`;
            });
            example.before(make('p', {}, put, done));
        }
    }

    // One action after another, forth and back.
    function actions({ toy, table, words, live, ask, show }) {
        const state = number => table.states[number].map(word => words[word]);
        const past = [{ action: null, state: 0, said: table.said[0], facts: state(0) }];
        let at = 0;
        const history = make('ol', { className: 'toy-history' });
        const [back, forth, again] = [['‹ Back', -1], ['Forward ›', 1], ['From the beginning', 0]].map(([text, by]) => {
            const button = make('button', { type: 'button', className: 'plain-button', textContent: text });
            button.addEventListener('click', () => go(by === 0 ? 0 : at + by));
            return button;
        });
        function go(to) {
            if (to < 0 || to >= past.length) {
                return;
            }
            at = to;
            show(past[at], at > 0 ? past[at - 1] : undefined);
            back.disabled = again.disabled = at === 0;
            forth.disabled = at === past.length - 1;
            history.replaceChildren(...past.slice(1).map(({ action, said }, index) => make('li', {
                className: index >= at ? 'ahead' : '',
            }, make('b', { textContent: toy.actions[action][1] }), ` ${said}`)));
        }
        async function act(action) {
            const now = past[at];
            const steps = now.state === null ? [] : table.steps[now.state];
            let next = null;
            if (steps.length > 0) {
                const [said, state_] = steps.slice(2 * action);
                next = { action, state: state_, said: words[said], facts: state(state_) };
            } else if (live) {
                const done = [...past.slice(1, at + 1).map(each => each.action), action].map(number => toy.actions[number][0]);
                try {
                    const seen = (await ask(done, {})).at(-1);
                    next = { action, state: null, said: seen.said, facts: seen.facts.map(([, value]) => value) };
                } catch (error) {
                    show({ ...now, said: error.message });
                    return;
                }
            } else {
                show({ ...now, said: END });
                return;
            }
            past.splice(at + 1, Infinity, next);
            go(at + 1);
        }
        const buttons = toy.actions.map(([, label], number) => {
            const button = make('button', { type: 'button', className: 'plain-button', textContent: label });
            button.addEventListener('click', () => act(number));
            return button;
        });
        go(0);
        return {
            above: [make('div', { className: 'toy-actions' }, ...buttons)],
            below: [make('div', { className: 'toy-actions' }, back, forth, again), history],
            keys: event => {
                const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
                if (by && event.target.matches('button')) {
                    event.preventDefault();
                    go(at + by);
                }
            },
        };
    }

    // Numbers, and what they come to.
    function numbers({ toy, table, words, live, ask, show, name }) {
        let newest = 0;
        let before;
        const controls = toy.knobs.map(knob => control(knob, { prefix: `toy-${name}`, typed: Boolean(live), plain: true, changed: () => answer() }));
        // The last number turns first.
        const place = () => controls.reduce((sum, each) => {
            const positions = each.knob.kind === 'choice' ? each.knob.of.map(([value]) => value) : each.knob.positions.map(String);
            const index = positions.indexOf(each.value());
            return index < 0 ? NaN : sum * positions.length + index;
        }, 0);
        async function answer() {
            const mine = newest += 1;
            const row = table.settings[place()];
            let seen = row && { said: words[row[0]], facts: row.slice(1).map(word => words[word]) };
            if (!seen) {
                try {
                    const knobs = Object.fromEntries(controls.map(each => [each.knob.name, each.value()]));
                    const [told] = await ask([], knobs);
                    seen = { said: told.said, facts: told.facts.map(([, value]) => value) };
                } catch (error) {
                    seen = { ...before, said: error.message };
                }
            }
            if (mine === newest) {
                show(seen, before);
                before = seen;
            }
        }
        const back = make('button', { type: 'button', className: 'plain-button', textContent: 'As at first' });
        back.addEventListener('click', () => {
            controls.forEach(each => each.set(usual(each.knob)));
            answer();
        });
        answer();
        return { above: [make('div', { className: 'knobs-form' }, ...controls.map(each => each.element), back)], below: [] };
    }

    document.addEventListener('DOMContentLoaded', () => {
        const near = new IntersectionObserver(entries => {
            for (const { isIntersecting, target } of entries) {
                if (isIntersecting) {
                    near.unobserve(target);
                    // Without its table the example stays.
                    begin(target).catch(error => console.error('a toy:', error));
                }
            }
        }, { rootMargin: '600px' });
        document.querySelectorAll('.toy').forEach(toy => near.observe(toy));
    });
})();
