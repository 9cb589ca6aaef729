// Draw first: the figure without its lines, for the reader's own, which then lies over the run.
'use strict';

(() => {
    const { page, recall, remember, make } = window.blastRadius;
    const COLUMNS = 60;
    const SVG = 'http://www.w3.org/2000/svg';

    function sketch(box) {
        const figure = document.getElementById(`figure-${box.dataset.figure}`);
        const covered = figure?.closest('.covered');
        const key = `${page}: sketch ${box.dataset.figure}`;
        const drawn = figure?.querySelector('svg');
        if (!drawn?.querySelector('.plot')) {
            return;
        }
        let heights = (recall(key) ?? '').split(' ').filter(Boolean).map(Number);
        if (heights.length !== COLUMNS + 1) {
            heights = [];
        }

        const lay = svg => {
            const plot = svg.querySelector('.plot');
            const [left, top, width, height] = plot.dataset.box.split(' ').map(Number);
            let line = svg.querySelector('.sketched');
            if (!line) {
                line = document.createElementNS(SVG, 'polyline');
                line.setAttribute('class', 'sketched');
                plot.append(line);
            }
            line.setAttribute('points', heights.map((share, column) => (Number.isNaN(share) ? '' : `${left + column / COLUMNS * width},${top + (1 - share) * height}`)).join(' '));
            return { left, top, width, height };
        };
        const reveal = () => heights.length > 0 && lay(figure.querySelector(':scope > svg'));
        if (!covered?.hasAttribute('hidden')) {
            box.remove();
            reveal();
            return;
        }

        // The axes of the first plot, and nothing in them. Names that refer to an id would refer to the figure's.
        const paper = drawn.cloneNode(true);
        const [, ...others] = paper.querySelectorAll('.plot');
        const bottomOf = plot => plot.dataset.box.split(' ').map(Number).reduce((sum, value, index) => (index % 2 ? sum + value : sum), 0);
        const shorter = others.length > 0 ? bottomOf(others.at(-1)) - bottomOf(paper.querySelector('.plot')) : 0;
        const below = others.at(-1)?.parentElement;
        for (const { parentElement: panel } of others) {
            panel.previousElementSibling.remove();
        }
        let last = below;
        while ((last = last?.nextElementSibling)) {
            last.setAttribute('y', last.getAttribute('y') - shorter);
        }
        others.forEach(plot => plot.parentElement.remove());
        const [x, y, width, height] = paper.getAttribute('viewBox').split(' ').map(Number);
        paper.setAttribute('viewBox', [x, y, width, height - shorter].join(' '));
        // Neither the legend nor the lines.
        paper.querySelector('g > g').remove();
        paper.querySelectorAll('.plot path, title, desc').forEach(part => part.remove());
        for (const attribute of ['aria-labelledby', 'role']) {
            paper.removeAttribute(attribute);
        }
        paper.classList.add('paper');
        paper.setAttribute('tabindex', '0');
        paper.setAttribute('role', 'application');
        paper.setAttribute('aria-label', `${box.querySelector('p').textContent} Left and right move along the axis, up and down draw.`);
        const plot = paper.querySelector('.plot');
        const [bottom, upper] = plot.dataset.axis.split(' ').map(Number);
        const [from, to] = plot.dataset.across.split(' ').map(Number);
        const said = make('p', { className: 'sketch-said' });
        said.setAttribute('role', 'status');
        let column = 0;
        const cursor = document.createElementNS(SVG, 'line');
        cursor.setAttribute('class', 'cursor');
        plot.append(cursor);

        const set = (at, share) => {
            if (heights.length === 0) {
                heights = Array(COLUMNS + 1).fill(share);
            }
            const first = Math.min(column, at);
            const before = heights[column];
            for (let each = first; each <= Math.max(column, at); each += 1) {
                heights[each] = at === column ? share : before + (share - before) * (each - column) / (at - column);
            }
            // What comes after is as it was drawn last, until it is drawn.
            heights.fill(share, at);
            column = at;
            tell();
        };
        const tell = () => {
            const { left, top, width, height } = lay(paper);
            const x = left + column / COLUMNS * width;
            Object.entries({ x1: x, x2: x, y1: top, y2: top + height }).forEach(([name, value]) => cursor.setAttribute(name, value));
            const value = heights.length > 0 ? Math.round(bottom + heights[column] * (upper - bottom)) : 'nothing yet';
            said.textContent = `At ${Math.round(from + column / COLUMNS * (to - from))}: ${value}.`;
            remember(key, heights.map(share => share.toFixed(3)).join(' '));
            compare.disabled = heights.length === 0;
        };

        const at = event => {
            const { left, top, width, height } = lay(paper);
            const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(paper.getScreenCTM().inverse());
            const clamp = value => Math.min(1, Math.max(0, value));
            return [Math.round(clamp((point.x - left) / width) * COLUMNS), clamp(1 - (point.y - top) / height)];
        };
        paper.addEventListener('pointerdown', event => {
            paper.setPointerCapture(event.pointerId);
            const [to_, share] = at(event);
            column = to_;
            set(to_, share);
        });
        paper.addEventListener('pointermove', event => {
            if (paper.hasPointerCapture(event.pointerId)) {
                set(...at(event));
            }
        });
        paper.addEventListener('keydown', event => {
            const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
            const up = { ArrowUp: 0.05, ArrowDown: -0.05 }[event.key];
            if (!along && !up) {
                return;
            }
            event.preventDefault();
            event.stopPropagation();
            if (along) {
                column = Math.min(COLUMNS, Math.max(0, column + along));
                tell();
            } else {
                set(column, Math.min(1, Math.max(0, (heights[column] ?? 0) + up)));
            }
        });

        const compare = make('button', { type: 'button', className: 'plain-button', textContent: 'Compare with the run' });
        compare.addEventListener('click', () => covered.previousElementSibling.querySelector('button').click());
        box.append(paper, said, compare);
        box.hidden = false;
        tell();
        new MutationObserver((_, observer) => {
            observer.disconnect();
            box.remove();
            reveal();
        }).observe(covered, { attributeFilter: ['hidden'] });
    }

    document.querySelectorAll('.sketch').forEach(sketch);
})();
