// Keeps what a reader chose, opened and wrote in this browser. Without it everything can be read, and answered on paper.
'use strict';

(() => {
    const page = location.pathname.split('/').pop() || 'index.html';

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

    // An answer that was opened stays open. The question is the key: it stays the same when the chapter is edited. Questions
    // that are asked twice on a page are told apart by their order.
    const asked = new Map();
    for (const answer of document.querySelectorAll('details.answer')) {
        const question = `${page}: ${answer.querySelector('summary').textContent}`;
        const before = asked.get(question) ?? 0;
        asked.set(question, before + 1);
        const key = before === 0 ? question : `${question} (${before + 1})`;
        answer.open = recall(key) !== null;
        answer.addEventListener('toggle', () => remember(key, answer.open && 'open'));
    }

    // The choices of a prediction become radio buttons. The answer below begins with the right one, as "(b)": who has
    // chosen is told, and sees why.
    document.querySelectorAll('main blockquote').forEach((box, number) => {
        const choices = box.querySelector('ul');
        if (!choices || !box.querySelector('strong')?.textContent.startsWith('Predict')) {
            return;
        }
        const key = `${page}: prediction ${number}`;
        const chosen = recall(key);
        const answer = box.nextElementSibling?.matches('details.answer') ? box.nextElementSibling : null;
        const right = /^\s*(\([a-z]\))/.exec(answer?.querySelector('p')?.textContent ?? '')?.[1];
        const verdict = document.createElement('p');
        verdict.setAttribute('role', 'status');
        const tell = choice => {
            verdict.textContent = choice === right ? `${choice} is right.` : `You chose ${choice}; the run says ${right}.`;
        };
        if (right) {
            box.append(verdict);
        }
        if (right && chosen) {
            tell(chosen);
        }
        choices.setAttribute('role', 'radiogroup');
        choices.setAttribute('aria-label', 'Your prediction');
        choices.classList.add('choices');
        for (const item of choices.children) {
            item.setAttribute('role', 'none');
            const label = document.createElement('label');
            const radio = document.createElement('input');
            radio.type = 'radio';
            radio.name = key;
            label.append(...item.childNodes);
            const choice = label.textContent.trim().slice(0, 3);
            radio.checked = choice === chosen;
            radio.addEventListener('change', () => {
                remember(key, choice);
                if (right) {
                    tell(choice);
                    answer.open = true;
                }
            });
            label.prepend(radio);
            item.append(label);
        }
    });

    // The sheet of the checklist, by the names of its fields.
    for (const sheet of document.querySelectorAll('form.sheet')) {
        const fields = sheet.querySelectorAll('input, textarea');
        const fit = field => {
            field.style.height = 'auto';
            field.style.height = field.value ? `${field.scrollHeight + 2}px` : '';
        };
        for (const field of fields) {
            field.value = recall(`sheet: ${field.name}`) ?? '';
            fit(field);
        }
        sheet.addEventListener('input', event => {
            remember(`sheet: ${event.target.name}`, event.target.value);
            fit(event.target);
        });
        sheet.addEventListener('submit', event => event.preventDefault());
        sheet.addEventListener('reset', () => {
            for (const field of fields) {
                remember(`sheet: ${field.name}`, '');
                field.style.height = '';
            }
        });
    }

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
    document.querySelectorAll('main pre > code, main .table-wrapper').forEach(box => scrolling.observe(box));

    // mdBook turns the page at an arrow key, also for who moves in a text or from choice to choice.
    document.addEventListener('keydown', event => {
        if (event.target.matches('main input, main textarea')) {
            event.stopImmediatePropagation();
        }
    }, true);
})();
