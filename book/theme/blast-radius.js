// What the scripts of the book share: what a reader chose, opened and wrote is kept in this browser. Without any of them
// everything can be read, and answered on paper.
'use strict';

(() => {
    // mdBook's pages say where the root of the book is.
    const root = new URL(typeof path_to_root === 'string' ? path_to_root : '', location.href);
    const here = location.pathname.slice(root.pathname.replace(/[^/]*$/, '').length);
    // As `circuit-breaker/trip.html`.
    const page = here || 'index.html';

    // Storage may be forbidden, or full: then nothing is remembered, and nothing else changes.
    const recall = key => {
        try {
            return localStorage.getItem(`blast-radius:${key}`);
        } catch {
            return null;
        }
    };
    const remember = (key, value) => {
        try {
            if (value) {
                localStorage.setItem(`blast-radius:${key}`, value);
            } else {
                localStorage.removeItem(`blast-radius:${key}`);
            }
        } catch {}
    };

    const make = (tag, properties = {}, ...children) => {
        const element = Object.assign(document.createElement(tag), properties);
        element.append(...children);
        return element;
    };

    window.blastRadius = { root, page, recall, remember, make };

    // What scrolls sideways must be reachable by Tab, or the keyboard can't scroll it; what doesn't is no stop.
    const scrolling = new ResizeObserver(entries => {
        for (const { target } of entries) {
            if (target.scrollWidth > target.clientWidth) {
                target.tabIndex = 0;
            } else {
                target.removeAttribute('tabindex');
            }
        }
    });
    const SCROLLING = 'pre > code, .table-wrapper, figure';
    const main = document.querySelector('main');
    main.querySelectorAll(SCROLLING).forEach(box => scrolling.observe(box));
    // What comes later too: the tables of a run, the report of a play.
    new MutationObserver(changes => {
        for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
            if (node instanceof Element) {
                [node, ...node.querySelectorAll('*')].filter(box => box.matches(SCROLLING)).forEach(box => scrolling.observe(box));
            }
        }
    }).observe(main, { childList: true, subtree: true });

    // A command that is too long for a phone goes on below, but not within a `--flag`.
    for (const code of document.querySelectorAll('code.language-console')) {
        const walker = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
        const texts = [];
        while (walker.nextNode()) {
            texts.push(walker.currentNode);
        }
        for (const text of texts) {
            // Every other part is a word with a hyphen.
            text.replaceWith(...text.data.split(/((?<!\S)\S{0,23}-\S{0,23}(?!\S))/).map((part, index) =>
                (index % 2 === 1 ? make('span', { className: 'whole', textContent: part }) : part)));
        }
    }

    // mdBook turns the page at an arrow key, also for a reader who moves in a text or from choice to choice.
    main.addEventListener('keydown', event => {
        if (event.target.matches(':is(input, textarea, select, button)')) {
            event.stopPropagation();
        }
    });
})();
