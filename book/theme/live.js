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

    let state = { book: null, plays: 0, checking: [], exercises: [], error: null };

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

    // --- The last play of the GameDay. Without one, the page says how to have one.

    async function showPlay() {
        const place = document.getElementById('last-play');
        const report = place && await ask('gameday').catch(() => null);
        if (report) {
            place.innerHTML = await report.text();
            document.getElementById(location.hash.slice(1))?.scrollIntoView();
        }
    }

    // --- What figures and toys ask for

    const post = (path, body, signal) => ask(path, {
        method: 'POST',
        signal,
        headers: { 'content-type': 'application/json', 'x-live-token': session.token },
        body: JSON.stringify(body),
    });
    const begun = begin();
    window.blastRadius.live = {
        async describe(lab) {
            await begun;
            return (await ask(`lab/${lab}`)).json();
        },
        // In two tabs a figure has two runs.
        async run(run, signal) {
            await begun;
            return (await post('run', { ...run, figure: `${window.blastRadius.tab} ${run.figure}` }, signal)).json();
        },
        async play(play) {
            await begun;
            return (await post('play', play)).json();
        },
    };

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
            if (before.plays !== state.plays) {
                showPlay();
            }
            // What was being checked is new code: its line in the figures is drawn again.
            if (state.checking.length === 0) {
                window.blastRadius.figures.filter(figure => before.checking.includes(figure.lab)).forEach(figure => figure.again());
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

    begun.then(() => {
        document.querySelector('main')?.prepend(bar);
        show();
        showPlay();
        listen();
    }).catch(error => console.error('the live book:', error));
})();
