// A run whose requests are seen on their way: paused until the reader plays it, forth and back.
'use strict';

(() => {
    const { make } = window.blastRadius;
    const SVG = 'http://www.w3.org/2000/svg';
    const WIDTH = 360;
    const TOP = 46;
    const ROW = 24;
    const ROWS = 8;
    // Milliseconds of the run that a request is drawn on its way for, and stays at its end.
    const TRAVEL = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : 200;
    const STAYS = 600;
    const SPEEDS = [['0.25', 'takes 4 s'], ['0.5', 'takes 2 s'], ['1', 'takes 1 s'], ['2', 'takes half a second'], ['4', 'takes a quarter']];

    const draw = (tag, attributes, text) => {
        const element = document.createElementNS(SVG, tag);
        Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
        element.textContent = text ?? '';
        return element;
    };

    window.blastRadius.journey = ({ toy, table, labels, words, said, show }) => {
        const events = table.events.map(([at, request, place, mark, turns, [told, ...facts]], number) =>
            ({ number, at, request, place, mark: words[mark], turns: turns === 1, said: words[told], facts: facts.map(word => words[word]) }));
        const ways = new Map();
        for (const event of events) {
            ways.set(event.request, [...(ways.get(event.request) ?? []), event]);
        }
        const height = TOP + ROWS * ROW + 6;
        const x = place => WIDTH * (2 * place + 1) / (2 * toy.places.length);
        const picture = draw('svg', { class: 'journey', viewBox: `0 0 ${WIDTH} ${height}`, 'aria-hidden': true });
        toy.places.forEach((name, place) => picture.append(
            draw('line', { x1: x(place), x2: x(place), y1: TOP - 10, y2: height, class: 'journey-place' }),
            draw('text', { x: x(place), y: 16, class: 'journey-name' }, name)));
        // A fact with the name of a place is its state.
        const states = labels.map((label, fact) => [fact, toy.places.indexOf(label)]).filter(([, place]) => place >= 0)
            .map(([fact, place]) => [fact, draw('text', { x: x(place), y: 32, class: 'journey-state' })]);
        const dots = draw('g', {});
        picture.append(...states.map(([, text]) => text), dots);

        // Where each request is after this event, or on its way there at this time of the run.
        function place(last, time, travel) {
            dots.replaceChildren();
            for (const [request, way] of ways) {
                const happened = way.filter(event => event.number <= last);
                const newest = happened.at(-1);
                if (!newest) {
                    continue;
                }
                let free = happened[0].at;
                let [from, to, begins] = [happened[0].place, happened[0].place, free];
                for (const event of happened.slice(1)) {
                    const starts = Math.max(event.at, free);
                    if (travel > 0 && starts > time) {
                        break;
                    }
                    [from, to, begins, free] = [to, event.place, starts, starts + travel];
                }
                const share = travel > 0 ? Math.min(1, (time - begins) / travel) : 1;
                const over = newest.mark && share === 1 && to === newest.place;
                if (newest.mark && time > Math.max(free, newest.at) + (travel > 0 ? STAYS : 0)) {
                    continue;
                }
                const at = x(from) + share * (x(to) - x(from));
                const y = TOP + (request % ROWS + 0.5) * ROW;
                const dot = draw('g', { transform: `translate(${at.toFixed(1)} ${y})`, class: 'journey-dot', 'data-mark': over ? newest.mark : '' });
                dot.append(draw('circle', { r: 10 }), draw('text', { y: 4 }, over ? newest.mark : request));
                dots.append(dot);
            }
        }

        let now = 0;
        let playing = 0;
        const button = (text, press) => {
            const element = make('button', { type: 'button', className: 'plain-button', textContent: text });
            element.addEventListener('click', press);
            return element;
        };
        const tell = () => {
            show(events[now], now > 0 ? events[now - 1] : undefined);
            states.forEach(([fact, text]) => { text.textContent = events[now].facts[fact]; });
            slider.value = now;
            slider.setAttribute('aria-valuetext', `${events[now].facts[0]}: ${events[now].said}`);
        };
        function go(to) {
            stop();
            now = Math.min(events.length - 1, Math.max(0, to));
            place(now, events[now].at, 0);
            tell();
        }
        function stop() {
            cancelAnimationFrame(playing);
            playing = 0;
            play.textContent = 'Play';
            said.setAttribute('aria-live', 'polite');
        }
        function start() {
            if (now === events.length - 1) {
                now = 0;
            }
            // A voice that reads each event would be behind at once.
            said.setAttribute('aria-live', 'off');
            play.textContent = 'Pause';
            let time = events[now].at;
            let before = performance.now();
            const frame = at => {
                time += Math.max(0, at - before) * Number(speed.value);
                before = at;
                const newest = events.findLastIndex(event => event.at <= time);
                if (newest !== now) {
                    now = newest;
                    tell();
                }
                place(now, time, TRAVEL);
                if (time > events.at(-1).at + TRAVEL) {
                    go(events.length - 1);
                } else {
                    playing = requestAnimationFrame(frame);
                }
            };
            playing = requestAnimationFrame(frame);
        }
        const play = button('Play', () => (playing ? go(now) : start()));
        const turn = button(toy.turns, () => {
            const next = events.findIndex((event, index) => index > now && event.turns);
            go(next < 0 ? events.length - 1 : next);
        });
        const slider = make('input', { type: 'range', className: 'journey-slider', min: 0, max: events.length - 1, step: 1 });
        slider.setAttribute('aria-label', 'How far the run has come');
        slider.addEventListener('input', () => go(Number(slider.value)));
        const speed = make('select', { id: `travel-speed-${toy.name}` }, ...SPEEDS.map(([value, text]) => make('option', { value, textContent: text })));
        speed.value = '1';
        const speeds = make('span', { className: 'journey-speed' }, make('label', { htmlFor: speed.id, textContent: 'A second of the run' }), speed);
        go(0);
        return {
            above: [picture,
                make('div', { className: 'toy-actions' }, play, button('‹ Back', () => go(now - 1)), button('Forward ›', () => go(now + 1)), turn, speeds),
                slider],
            below: [make('p', { className: 'journey-legend', textContent: `${toy.marks.map(([mark, means]) => `${mark} ${means}`).join(', ')}. A number is a request under way.` })],
            keys: event => {
                const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
                if (by && event.target.matches('button')) {
                    event.preventDefault();
                    go(now + by);
                }
            },
        };
    };
})();
