// A toy whose parts are put in an order: by dragging, or by two buttons each.
'use strict';

(() => {
    const { make } = window.blastRadius;
    const NOT_RECORDED = 'Recorded are the orders in which one layer is out of its place. `cargo xtask book` runs any order.';
    // The book's order, and the newest that were tried.
    const ROWS = 8;

    window.blastRadius.order = ({ toy, table, labels, words, live, ask, show }) => {
        const recorded = new Map(table.orders.map(([order, [said, ...facts]]) =>
            [order.join(), { said: words[said], facts: facts.map(word => words[word]) }]));
        const list = make('ol', { className: 'toy-order' });
        const places = () => [...list.children].map(item => Number(item.dataset.layer));
        const book = toy.actions.map((_, place) => place);
        const tried = make('tbody');
        const tries = make('div', { className: 'table-wrapper' }, make('table', {},
            make('thead', {}, make('tr', {}, ...['from the outermost', ...labels].map(text => make('th', { scope: 'col', textContent: text })))),
            tried));
        let before;
        let newest = 0;

        async function answer() {
            const order = places();
            const key = order.join();
            for (const [place, item] of [...list.children].entries()) {
                const [out, into] = item.querySelectorAll('button');
                out.setAttribute('aria-disabled', place === 0);
                into.setAttribute('aria-disabled', place === order.length - 1);
            }
            const mine = newest += 1;
            let seen = recorded.get(key);
            if (!seen && live) {
                show({ said: 'Running …', facts: labels.map(() => '…') });
                try {
                    const [told] = await ask(order.map(place => toy.actions[place][0]), {});
                    seen = { said: told.said, facts: told.facts.map(([, value]) => value) };
                    recorded.set(key, seen);
                } catch (error) {
                    seen = { said: error.message, facts: labels.map(() => '–'), failed: true };
                }
            }
            if (mine !== newest) {
                return;
            }
            show(seen ?? { said: NOT_RECORDED, facts: labels.map(() => '–') }, before);
            before = seen ?? before;
            if (seen && !seen.failed) {
                keep(key, order, seen);
            }
        }

        function keep(key, order, seen) {
            const known = [...tried.children].find(row => row.dataset.order === key);
            const row = known ?? make('tr', {},
                make('th', { scope: 'row', textContent: order.map(place => toy.actions[place][1]).join(' › ') }),
                ...seen.facts.map(text => make('td', { textContent: text })));
            row.dataset.order = key;
            if (!known) {
                tried.append(row);
                if (tried.children.length > ROWS) {
                    tried.children[1].remove();
                }
            }
            for (const each of tried.children) {
                each.classList.toggle('now', each === row);
            }
        }

        // The neighbour moves, and not the item: so the button keeps the focus.
        function move(item, by) {
            const neighbour = by < 0 ? item.previousElementSibling : item.nextElementSibling;
            if (!neighbour) {
                return false;
            }
            item[by < 0 ? 'after' : 'before'](neighbour);
            return true;
        }

        for (const [layer, [, label]] of toy.actions.entries()) {
            const buttons = [['↑', 'out', -1], ['↓', 'in', 1]].map(([sign, way, by]) => {
                const button = make('button', { type: 'button', className: 'plain-button', textContent: sign });
                button.setAttribute('aria-label', `${label}: one further ${way}`);
                button.addEventListener('click', () => move(item, by) && answer());
                return button;
            });
            const grip = make('span', { className: 'toy-grip', textContent: '⠿' });
            grip.setAttribute('aria-hidden', 'true');
            const item = make('li', {}, grip, make('span', { className: 'toy-layer', textContent: label }), ...buttons);
            item.dataset.layer = layer;
            let from = '';
            item.addEventListener('pointerdown', event => {
                // A finger elsewhere than on the grip scrolls the page.
                const holds = event.pointerType === 'mouse' || event.target === grip;
                if (holds && event.button === 0 && !event.target.closest('button')) {
                    from = places().join();
                    item.setPointerCapture(event.pointerId);
                    item.classList.add('dragged');
                    event.preventDefault();
                }
            });
            item.addEventListener('pointermove', event => {
                if (!item.hasPointerCapture(event.pointerId)) {
                    return;
                }
                const middle = other => other.getBoundingClientRect().top + other.offsetHeight / 2;
                while (item.previousElementSibling && event.clientY < middle(item.previousElementSibling)) {
                    move(item, -1);
                }
                while (item.nextElementSibling && event.clientY > middle(item.nextElementSibling)) {
                    move(item, 1);
                }
            });
            item.addEventListener('lostpointercapture', () => {
                item.classList.remove('dragged');
                if (from !== places().join()) {
                    answer();
                }
            });
            list.append(item);
        }
        const back = make('button', { type: 'button', className: 'plain-button', textContent: 'The book\'s order' });
        back.addEventListener('click', () => {
            list.append(...[...list.children].sort((one, other) => one.dataset.layer - other.dataset.layer));
            answer();
        });
        keep(book.join(), book, recorded.get(book.join()));
        answer();
        return { above: [list, make('div', { className: 'toy-actions' }, back)], below: [tries] };
    };
})();
