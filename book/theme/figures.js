// Figures with knobs: a run for each position. Where the book is served, a lab runs, with the reader's line; elsewhere the
// page chooses among recorded runs of the reference. What is drawn comes from Rust either way.
'use strict';

(() => {
    const { root, make } = window.blastRadius;

    // --- Recorded files: scripts, for a page that is opened from a disk may not fetch

    const arrived = new Map();
    const load = path => {
        if (!arrived.has(path)) {
            arrived.set(path, new Promise((done, failed) => {
                const script = make('script', { src: new URL(`figures/${path}.js`, root) });
                script.addEventListener('load', () => done(arrived.get(`content of ${path}`)));
                script.addEventListener('error', () => failed(new Error('The recorded runs of this figure cannot be read.')));
                document.head.append(script);
            }));
        }
        return arrived.get(path);
    };
    window.blastRadius.recorded = (name, content) => arrived.set(`content of runs/${name}`, content);
    window.blastRadius.recordedToy = (name, content) => arrived.set(`content of toys/${name}`, content);

    // A number and its unit stay in one line.
    const together = text => text.replace(/(\d) (?=(?:%|[nµm]?s|min|h|[KMG]i?B)(?!\p{L}))/gu, '$1\u00a0');

    // Text with `code` in it, as in the captions that a lab gives its figures.
    const prose = text => together(text).split('`').map((part, index) => (index % 2 === 1 ? make('code', { textContent: part }) : part));

    // --- Controls

    const usual = knob => String(knob.kind === 'choice' ? knob.of[0][0] : knob.default);

    // For a range that was too wide to record: about a hundred positions.
    function evenSteps({ from, to, step }) {
        const by = step * Math.ceil((to - from) / step / 100);
        return Array.from({ length: Math.floor((to - from) / by) + 1 }, (_, index) => from + index * by);
    }

    // A control for a knob: `element`, `value()` and `set(text)`. Typed numbers need somebody who can run them. Where no
    // command line takes its values, a choice shows what they mean alone.
    function control(knob, { prefix, typed, plain, changed }) {
        const id = `${prefix}-${knob.name}`;
        const label = make('label', { htmlFor: id, textContent: knob.question });
        const row = make('div', { className: 'knob' }, label);
        if (knob.kind === 'choice') {
            const select = make('select', { id }, ...knob.of.map(([value, about]) =>
                make('option', { value, textContent: plain || about === value ? about : `${value}: ${about}` })));
            select.addEventListener('change', changed);
            row.append(select);
            return { knob, element: row, value: () => select.value, set: text => { select.value = text; } };
        }
        const positions = knob.positions.length > 0 ? knob.positions : typed ? evenSteps(knob) : [];
        const shown = value => (knob.unit ? `${value} ${knob.unit}` : String(value));
        // A slider moves over its positions, which may be a scale of their own.
        const slider = positions.length > 0
            && make('input', { type: 'range', id: typed ? `${id}-slider` : id, min: 0, max: positions.length - 1, step: 1 });
        const nearest = value => positions.reduce((best, position, index) =>
            (Math.abs(position - value) < Math.abs(positions[best] - value) ? index : best), 0);
        const place = value => {
            if (slider) {
                slider.value = nearest(value);
                slider.setAttribute('aria-valuetext', shown(value));
            }
        };
        if (slider) {
            row.append(slider);
        }
        if (typed) {
            const number = make('input', { type: 'number', id, min: knob.from, max: knob.to, step: 1 });
            number.addEventListener('input', () => { place(Number(number.value)); changed(); });
            if (slider) {
                slider.setAttribute('aria-label', knob.question);
                slider.addEventListener('input', () => {
                    number.value = positions[slider.value];
                    slider.setAttribute('aria-valuetext', shown(number.value));
                    changed();
                });
            }
            row.append(number, make('span', { className: 'knob-unit', textContent: knob.unit ?? '' }));
            const set = text => { number.value = text; place(Number(text)); };
            set(usual(knob));
            const wrong = () => (number.value !== '' && number.checkValidity() ? null
                : `“${knob.question}” takes a whole number from ${knob.from} to ${knob.to}.`);
            return { knob, element: row, value: () => number.value, set, wrong };
        }
        if (!slider) {
            return null;
        }
        const output = make('output', { htmlFor: id });
        const set = text => { place(Number(text)); output.textContent = shown(positions[slider.value]); };
        slider.addEventListener('input', () => { set(positions[slider.value]); changed(); });
        set(usual(knob));
        row.append(output);
        return { knob, element: row, value: () => String(positions[slider.value]), set };
    }

    // --- Where runs come from

    // Each knob was turned by itself: when one moves, the others go back.
    const recorded = name => ({
        alone: true,
        async scene() {
            return (await load(`runs/${name}`)).scene;
        },
        async run(knobs, scene) {
            const { runs, lines } = await load(`runs/${name}`);
            const key = scene.knobs.filter(knob => knobs[knob.name] !== usual(knob))
                .map(knob => `${knob.name}:${knobs[knob.name]}`).join();
            const run = runs[key];
            if (!run) {
                throw new Error('There is no recorded run with these numbers.');
            }
            return { ...run, svg: run.svg.map(line => lines[line]).join('\n') };
        },
    });

    const served = (name, lab) => ({
        alone: false,
        async scene() {
            const { scenes } = await window.blastRadius.live.describe(lab);
            const scene = scenes.find(each => each.figures.includes(name));
            if (!scene) {
                throw new Error('This figure has no knobs.');
            }
            return { ...scene, only: scenes.length === 1 };
        },
        run: (knobs, scene, signal) => window.blastRadius.live.run(
            { lab, figure: name, scene: scene.only ? null : scene.name, knobs }, signal),
    });

    // --- The run in the book, and a sketch over it, stay thin and grey while a knob moves

    const box = plot => plot.dataset.box.split(' ').map(Number);
    const axis = plot => plot.dataset.axis.split(' ').map(Number);

    function addGhost(svg, drawn) {
        const before = drawn.querySelectorAll('.plot');
        svg.querySelectorAll('.plot').forEach((plot, index) => {
            const old = before[index];
            if (!old) {
                return;
            }
            const [left, top, width, height] = box(plot);
            const [, oldTop, , oldHeight] = box(old);
            const [bottom, upper] = axis(plot);
            const [oldBottom, oldUpper] = axis(old);
            // From the position on the old axis to that on the new one.
            const scale = (oldUpper - oldBottom) / (upper - bottom) * height / oldHeight;
            const shift = top + height - (oldBottom - bottom) / (upper - bottom) * height - (oldTop + oldHeight) * scale;
            // A picture in a picture cuts off what is above the new axis.
            const ghost = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
            const attributes = { x: left, y: top, width, height, viewBox: `${left} ${top} ${width} ${height}`, class: 'ghost', 'aria-hidden': true };
            Object.entries(attributes).forEach(([key, value]) => ghost.setAttribute(key, value));
            for (const path of old.querySelectorAll('path, polyline')) {
                const line = path.cloneNode();
                line.setAttribute('transform', `matrix(1 0 0 ${scale} 0 ${shift})`);
                ghost.append(line);
            }
            plot.before(ghost);
        });
    }

    // --- A figure

    const figures = [];
    const tabs = Math.random().toString(36).slice(2);

    function addKnobs(figure) {
        const name = figure.id.replace('figure-', '');
        const source = window.blastRadius.live ? served(name, figure.dataset.lab) : recorded(name);
        const yours = 'yours' in figure.dataset;
        const drawn = figure.querySelector('svg');
        const caption = figure.querySelector('figcaption');
        const inside = make('div', { className: 'knobs-inside' });
        const fold = make('details', { className: 'knobs' }, make('summary', {
            textContent: yours && !source.alone ? 'Turn its knobs, with your code in it' : 'Turn its knobs',
        }), inside);
        figure.append(fold);
        const said = make('p', { className: 'knobs-said' });
        said.setAttribute('role', 'status');
        const result = make('div');
        inside.append(said, result);
        let scene = null;
        let controls = null;
        let running = null;

        const wait = text => {
            const timer = setTimeout(() => { said.textContent = text; }, 400);
            return () => clearTimeout(timer);
        };

        async function begin() {
            if (controls) {
                return;
            }
            controls = [];
            const done = wait(source.alone ? 'The recorded runs are on their way.'
                : 'The lab is being compiled. The first time takes half a minute or so.');
            try {
                scene = await source.scene();
                const form = make('form', { className: 'knobs-form' });
                form.addEventListener('submit', event => event.preventDefault());
                controls = scene.knobs.map(knob => control(knob, {
                    prefix: name,
                    typed: !source.alone,
                    changed: () => turned(knob),
                })).filter(each => each !== null);
                const back = make('button', { type: 'button', className: 'plain-button', textContent: 'As in the book' });
                back.addEventListener('click', reset);
                form.append(...controls.map(each => each.element), back);
                inside.prepend(form);
                if (source.alone) {
                    form.after(make('p', { className: 'knobs-note' }, 'Recorded runs of the reference, one knob at a time. ',
                        make('code', { textContent: 'cargo xtask book' }), yours ? ' takes any value, and draws your code beside it.' : ' takes any value.'));
                }
                said.textContent = '';
                const wanted = new URLSearchParams(location.search).get(name);
                for (const [knob, value] of (wanted ?? '').split(',').map(pair => pair.split(':'))) {
                    if (value !== undefined) {
                        controls.find(each => each.knob.name === knob)?.set(value);
                    }
                }
                await run();
            } catch (error) {
                said.textContent = error.message;
                controls = null;
            } finally {
                done();
            }
        }

        let timer = 0;
        function turned(knob) {
            if (source.alone) {
                controls.filter(each => each.knob !== knob).forEach(each => each.set(usual(each.knob)));
            }
            clearTimeout(timer);
            timer = setTimeout(run, source.alone ? 0 : 120);
        }

        const values = () => Object.fromEntries(scene.knobs.map(knob =>
            [knob.name, controls.find(each => each.knob === knob)?.value() ?? usual(knob)]));
        const changes = () => Object.entries(values()).filter(([knob, value]) =>
            value !== usual(scene.knobs.find(each => each.name === knob)));

        // The address is that of this run, so that it can be sent to a colleague.
        function remember() {
            const url = new URL(location.href);
            const changed = changes().map(([knob, value]) => `${knob}:${value}`);
            if (changed.length > 0) {
                url.searchParams.set(name, changed.join());
            } else {
                url.searchParams.delete(name);
            }
            try {
                history.replaceState(history.state, '', url);
            } catch {}
        }

        // A newer run ends the older one.
        async function run() {
            if (!scene) {
                return;
            }
            running?.abort();
            remember();
            const wrong = controls.map(each => each.wrong?.()).find(text => text);
            if (wrong) {
                said.textContent = wrong;
                return;
            }
            const mine = running = new AbortController();
            const done = wait('Running …');
            try {
                showRun(await source.run(values(), scene, mine.signal));
            } catch (error) {
                if (!mine.signal.aborted) {
                    said.textContent = error.message;
                }
            } finally {
                done();
            }
        }

        function showRun(answer) {
            const ghost = answer.svg && changes().length > 0 && drawn.querySelector('.plot') !== null;
            // The caption is about the run in the book.
            caption.hidden = changes().length > 0;
            if (answer.svg) {
                const template = make('template');
                template.innerHTML = answer.svg;
                if (ghost) {
                    addGhost(template.content.querySelector('svg'), drawn);
                }
                figure.querySelector(':scope > svg')?.replaceWith(template.content);
            }
            const missing = answer.runs.filter(run => run.missing);
            said.textContent = answer.without_yours
                ? `Without your code: ${answer.without_yours}.`
                : missing.map(run => `Without ${run.name}: ${run.missing.step
                    ? `it needs step ${run.missing.step}`
                    : run.missing.message}.`).join(' ');
            const tables = answer.tables.map(table => make('div', { className: 'table-wrapper' }, make('table', {},
                make('thead', {}, make('tr', {}, ...table.columns.map(text => make('th', { scope: 'col', textContent: text })))),
                make('tbody', {}, ...table.rows.map(([first, ...cells]) => make('tr', {},
                    make('th', { scope: 'row', textContent: first }),
                    ...cells.map(text => make('td', { textContent: text }))))))));
            result.replaceChildren(
                make('p', {}, ...prose(answer.setting)),
                ...(ghost ? [make('p', { textContent: 'The thin grey lines are the run in the book.' })] : []),
                ...tables,
                ...answer.notes.map(text => make('p', {}, ...prose(text))),
                make('p', { className: 'reproduce' }, 'Reproduce: ', make('code', { textContent: answer.command })));
        }

        // The figure and the numbers of the book: they were recorded with the figure.
        async function reset() {
            running?.abort();
            controls.forEach(each => each.set(usual(each.knob)));
            remember();
            caption.hidden = false;
            figure.querySelector(':scope > svg')?.replaceWith(drawn);
            said.textContent = '';
            result.replaceChildren();
            if (!('runs' in figure.dataset)) {
                await run();
                return;
            }
            const mine = running = new AbortController();
            const { svg, ...numbers } = await recorded(name).run(values(), scene);
            if (!mine.signal.aborted) {
                showRun(numbers);
            }
        }

        fold.addEventListener('toggle', () => { if (fold.open) begin(); });
        if (new URLSearchParams(location.search).has(name)) {
            fold.open = true;
            if (!location.hash) {
                figure.scrollIntoView();
            }
        }
        figures.push({ lab: figure.dataset.lab, again: () => { if (fold.open && result.hasChildNodes()) run(); } });
    }

    Object.assign(window.blastRadius, { figures, load, control, together, usual, tab: tabs });
    // The live server's script comes after this one.
    document.addEventListener('DOMContentLoaded', () => document
        .querySelectorAll(window.blastRadius.live ? 'figure[data-lab]' : 'figure[data-runs]').forEach(addKnobs));
})();
