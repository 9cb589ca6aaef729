// Served pages only (`cargo xtask book`): shows what the reader's code does. The server verifies and runs the labs; this
// file asks it and shows the answers. Nothing that a page draws is computed here.
'use strict';

(() => {
    const { page, make, root } = window.blastRadius;
    const DOOR = new URL('__live/', root);
    let session = null;

    // --- Small tools

    const ask = async (path, options) => {
        const answer = await fetch(new URL(path, DOOR), options);
        if (!answer.ok) {
            throw new Error(await answer.text());
        }
        return answer;
    };

    const WORDS = {
        passed: 'passed',
        failed: 'failed',
        not_started: 'to do',
        timed_out: 'timed out',
        crashed: 'crashed',
        does_not_compile: 'does not compile',
    };

    const mark = status => make('span', { className: `live-mark ${status}`, textContent: WORDS[status] ?? status });

    // --- The reader's editor, chosen once

    const EDITORS = {
        'VS Code': (file, line) => `vscode://file${file}:${line}`,
        VSCodium: (file, line) => `vscodium://file${file}:${line}`,
        Cursor: (file, line) => `cursor://file${file}:${line}`,
        Zed: (file, line) => `zed://file${file}:${line}`,
        'IntelliJ IDEA, RustRover': (file, line) => `idea://open?file=${encodeURIComponent(file)}&line=${line}`,
        Emacs: (file, line) => `org-protocol://open-file?file=${encodeURIComponent(file)}&line=${line}`,
    };
    const EDITOR = 'blast-radius:editor';
    const editor = () => {
        try {
            return localStorage.getItem(EDITOR) ?? '';
        } catch {
            return '';
        }
    };

    // A place in a file, as `exercises/…/lib.rs:30`: a link if an editor is chosen.
    const place = where => {
        const [, file, line = '1'] = /^(.*?)(?::(\d+))?(?::\d+)?$/.exec(where);
        const link = EDITORS[editor()];
        if (!link) {
            return make('code', { textContent: where });
        }
        const path = `${session.root}/${file}`.replaceAll('\\', '/').replace(/^(?!\/)/, '/');
        return make('a', { href: link(path, line), textContent: where, className: 'live-place' });
    };

    // Text in which places are links.
    const withPlaces = text => text.split(/((?:exercises|solutions)\/[\w./-]+\.rs:\d+(?::\d+)?)/)
        .map((part, number) => number % 2 ? place(part) : part);

    // --- The bar at the top of a page

    const bar = make('section', { className: 'live-bar' });
    bar.setAttribute('aria-label', 'Your code');
    const standing = make('span', { textContent: 'Live: waiting for the first verdict' });
    standing.setAttribute('role', 'status');
    const chooser = make('select', {}, make('option', { value: '', textContent: 'none: show places as text' }),
        ...Object.keys(EDITORS).map(name => make('option', { value: name, textContent: name })));
    chooser.value = editor();
    chooser.addEventListener('change', () => {
        try {
            localStorage.setItem(EDITOR, chooser.value);
        } catch {}
        show();
    });
    const notes = make('div', { className: 'live-notes' });
    bar.append(make('div', { className: 'live-line' }, standing, make('label', {}, 'Open files in ', chooser)), notes);

    // --- Verdicts

    let state = { book: null, checking: [], exercises: [], error: null };

    const passed = parts => parts.filter(part => part.status === 'passed').length;
    const mine = () => session.exercises.find(exercise =>
        page === exercise.page || page.startsWith(exercise.page.replace('.html', '/')));
    const found = id => state.exercises.find(exercise => exercise.id === id);

    const inWords = exercise => {
        const verdict = found(exercise.id);
        if (!verdict) {
            return '';
        }
        if (verdict.status === 'does_not_compile') {
            return 'does not compile';
        }
        const done = passed(verdict.steps);
        return verdict.status === 'not_started' ? 'not started' : `${done} of ${verdict.steps.length} steps`;
    };

    function show() {
        showBar();
        showSidebar();
        document.querySelectorAll('ul.checks').forEach(showChecks);
        document.querySelectorAll('details.mistakes[data-step]').forEach(showMistakes);
    }

    function showBar() {
        const exercise = mine();
        const busy = state.checking.length > 0 ? ' · checking …' : '';
        const all = session.exercises.filter(each => found(each.id)?.status === 'passed').length;
        standing.textContent = state.error
            ? `Live: ${state.error}`
            : exercise && found(exercise.id)
                ? `Your ${exercise.title.toLowerCase()}: ${inWords(exercise)}${busy}`
                : `Your exercises: ${all} of ${session.exercises.length} done${busy}`;
        notes.replaceChildren();
        if (!exercise) {
            return;
        }
        notes.append(make('span', {}, 'You write ', place(exercise.source)));
        for (const note of found(exercise.id)?.notes ?? []) {
            notes.append(make('pre', {}, ...withPlaces(note)));
        }
    }

    function showSidebar() {
        const words = new Map();
        for (const exercise of session.exercises) {
            words.set(new URL(exercise.page, root).href, inWords(exercise));
            for (const step of exercise.steps) {
                words.set(new URL(step.page, root).href, ofStep(found(exercise.id), step));
            }
        }
        for (const link of document.querySelectorAll('.sidebar a')) {
            link.querySelector('.live-state')?.remove();
            const state = words.get(link.href);
            if (state) {
                link.append(make('span', { className: 'live-state', textContent: state }));
            }
        }
    }

    function ofStep(verdict, { id }) {
        const step = verdict?.steps.find(step => step.id === id);
        if (!step || verdict.status === 'not_started') {
            return '';
        }
        return step.status === 'failed' ? `${passed(step.checks)} of ${step.checks.length} checks` : WORDS[step.status];
    }

    // A step's mistakes give its answers away: they open when it passes, once, and stay as the reader leaves them.
    function showMistakes(fold) {
        const verdict = found(fold.dataset.exercise);
        const passes = verdict?.steps.find(step => step.id === fold.dataset.step)?.status === 'passed';
        if (passes && !fold.dataset.shown) {
            fold.open = true;
        }
        fold.dataset.shown = passes ? 'yes' : '';
    }

    function showChecks(list) {
        const verdict = found(list.dataset.exercise);
        const step = verdict?.steps.find(step => step.id === list.dataset.step);
        for (const item of list.children) {
            item.querySelectorAll('.live-mark, .live-why').forEach(old => old.remove());
            const check = step?.checks.find(check => check.name === item.dataset.check);
            // The page says it once that nothing was run.
            if (!check || check.status === 'does_not_compile') {
                continue;
            }
            item.prepend(mark(check.status));
            if (!['passed', 'not_started'].includes(check.status)) {
                const why = make('div', { className: 'live-why' }, make('pre', {}, ...withPlaces(check.message)));
                if (check.at) {
                    why.append(make('p', {}, 'It says so at ', place(check.at)));
                }
                item.append(why);
            }
        }
        const sum = list.previousElementSibling?.matches('.live-sum')
            ? list.previousElementSibling
            : list.parentNode.insertBefore(make('p', { className: 'live-sum' }), list);
        sum.replaceChildren();
        if (verdict?.status === 'does_not_compile') {
            sum.append(mark('does_not_compile'), ' The reason is at the top of the page.');
        } else if (step && step.checks.length > 0) {
            sum.append(mark(step.status), ` ${passed(step.checks)} of ${step.checks.length} checks pass.`);
        }
    }

    // --- Figures: their knobs, and the reader's line

    const figures = [];

    function addKnobs(figure) {
        const name = figure.id.replace('figure-', '');
        const drawn = figure.querySelector('svg');
        const box = make('div', { className: 'live-figure' });
        const fold = make('details', { className: 'live-knobs' },
            make('summary', { textContent: 'Turn its knobs, with your code in it' }), box);
        figure.append(fold);
        const said = make('p', { className: 'live-said' });
        said.setAttribute('role', 'status');
        const result = make('div');
        box.append(said, result);
        let form = null;
        let scene = null;
        let running = null;

        const wait = text => {
            const timer = setTimeout(() => { said.textContent = text; }, 400);
            return () => clearTimeout(timer);
        };

        async function begin() {
            if (form) {
                return;
            }
            form = make('form', { className: 'live-form' });
            form.addEventListener('submit', event => event.preventDefault());
            const done = wait('The lab is being compiled. The first time takes half a minute or so.');
            try {
                const lab = await (await ask(`lab/${figure.dataset.lab}`)).json();
                const scenes = lab.scenes.filter(each => each.figures.includes(name));
                scene = scenes[0];
                if (!scene) {
                    said.textContent = 'This figure has no knobs.';
                    return;
                }
                scene = { ...scene, only: lab.scenes.length === 1 };
                for (const knob of scene.knobs) {
                    form.append(control(knob));
                }
                const back = make('button', { type: 'button', className: 'live-button', textContent: 'As in the book' });
                back.addEventListener('click', reset);
                form.append(back);
                box.prepend(form);
                said.textContent = '';
                const wanted = new URLSearchParams(location.search).get(name);
                for (const [knob, value] of (wanted ?? '').split(',').map(pair => pair.split(':'))) {
                    const field = form.elements[knob];
                    if (field && value !== undefined) {
                        field.value = value;
                        field.dispatchEvent(new Event('sync'));
                    }
                }
                await run();
            } catch (error) {
                said.textContent = error.message;
                form = null;
            } finally {
                done();
            }
        }

        function control(knob) {
            const id = `${name}-${knob.name}`;
            const label = make('label', { htmlFor: id, textContent: knob.question });
            if (knob.kind === 'choice') {
                const select = make('select', { id, name: knob.name }, ...knob.of.map(([value, about]) =>
                    make('option', { value, textContent: `${value}: ${about}` })));
                select.addEventListener('change', soon);
                return make('div', { className: 'live-knob' }, label, select);
            }
            const limits = { min: knob.from, max: knob.to, step: 1, value: knob.default };
            const number = make('input', { type: 'number', id, name: knob.name, ...limits });
            number.defaultValue = knob.default;
            number.addEventListener('input', soon);
            const row = make('div', { className: 'live-knob' }, label);
            // A slider over a range that is too long for one would move by hours at a touch.
            if ((knob.to - knob.from) / knob.step <= 2000) {
                const slider = make('input', { type: 'range', ...limits, step: knob.step });
                slider.setAttribute('aria-label', knob.question);
                slider.addEventListener('input', () => { number.value = slider.value; soon(); });
                const sync = () => { slider.value = number.value; };
                number.addEventListener('input', sync);
                number.addEventListener('sync', sync);
                row.append(slider);
            }
            row.append(number, make('span', { className: 'live-unit', textContent: knob.unit ?? '' }));
            return row;
        }

        let timer = 0;
        function soon() {
            clearTimeout(timer);
            timer = setTimeout(run, 120);
        }

        const values = () => Object.fromEntries(scene.knobs.map(knob => [knob.name, form.elements[knob.name].value]));

        function remember() {
            const url = new URL(location.href);
            const turned = scene.knobs
                .map(knob => [knob.name, form.elements[knob.name].value, String(knob.kind === 'choice' ? knob.of[0][0] : knob.default)])
                .filter(([, value, usual]) => value !== usual)
                .map(([knob, value]) => `${knob}:${value}`);
            if (turned.length > 0) {
                url.searchParams.set(name, turned.join(','));
            } else {
                url.searchParams.delete(name);
            }
            history.replaceState(history.state, '', url);
        }

        // A newer run ends the older one.
        async function run() {
            if (!scene) {
                return;
            }
            running?.abort();
            const mine = running = new AbortController();
            remember();
            const done = wait('Running …');
            try {
                const answer = await ask('run', {
                    method: 'POST',
                    signal: mine.signal,
                    headers: { 'content-type': 'application/json', 'x-live-token': session.token },
                    body: JSON.stringify({ lab: figure.dataset.lab, scene: scene.only ? null : scene.name, knobs: values() }),
                });
                showRun(await answer.json());
            } catch (error) {
                if (error.name !== 'AbortError') {
                    said.textContent = error.message;
                }
            } finally {
                done();
            }
        }

        function showRun(answer) {
            if (answer.svg) {
                const template = make('template');
                template.innerHTML = answer.svg;
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
            result.replaceChildren(make('p', { textContent: answer.setting }), ...tables,
                ...answer.notes.map(text => make('p', { textContent: text })),
                make('p', { className: 'reproduce' }, 'Reproduce: ', make('code', { textContent: answer.command })));
        }

        function reset() {
            running?.abort();
            form.reset();
            form.querySelectorAll('input[type=number]').forEach(field => field.dispatchEvent(new Event('sync')));
            remember();
            figure.querySelector(':scope > svg')?.replaceWith(drawn);
            said.textContent = '';
            result.replaceChildren();
        }

        fold.addEventListener('toggle', () => { if (fold.open) begin(); });
        if (new URLSearchParams(location.search).has(name)) {
            fold.open = true;
        }
        figures.push({ lab: figure.dataset.lab, again: () => { if (fold.open && result.hasChildNodes()) run(); } });
    }

    // --- The stream

    async function begin() {
        session = await (await ask('session')).json();
    }

    function listen() {
        const events = new EventSource(new URL('events', DOOR));
        // Which build of the book this page is from.
        let book = null;
        let lost = false;
        events.onmessage = event => {
            const before = state;
            state = JSON.parse(event.data);
            book ??= state.book;
            if (book !== state.book) {
                location.reload();
                return;
            }
            show();
            // What was being checked is new code: its line in the figures is drawn again.
            if (state.checking.length === 0) {
                figures.filter(figure => before.checking.includes(figure.lab)).forEach(figure => figure.again());
            }
        };
        events.onerror = () => {
            lost = true;
            standing.textContent = 'Live: the server is gone; the page goes on when it is back';
        };
        // A server that was started again has another token, and counts its builds from the beginning.
        events.onopen = async () => {
            if (lost) {
                lost = false;
                book = null;
                await begin();
            }
        };
    }

    begin().then(() => {
        document.querySelector('main')?.prepend(bar);
        document.querySelectorAll('figure[data-lab]').forEach(addKnobs);
        show();
        listen();
    }).catch(error => console.error('the live book:', error));
})();
