"""Elements of SVG as text."""

from pipeline.report.drawing.svg import element, path, percent, text, title


def test_attributes_and_children():
    made = element("rect", title("a < b"), class_="x", stroke_width=2.0, data_at=None, x="5%")
    assert made == '<rect class="x" stroke-width="2" x="5%"><title>a &lt; b</title></rect>'


def test_whatever_is_put_in_stays_text():
    assert element("a", x='"><script>') == '<a x="&quot;&gt;&lt;script&gt;"/>'
    assert text("</svg>") == "&lt;/svg&gt;"


def test_places():
    assert [percent(x) for x in (0.0, 33.33333, 100.0)] == ["0%", "33.333%", "100%"]


def test_paths():
    assert path([(0, 1.25), (2.0, 3)], closed=True) == "M0 1.2L2 3Z"
    assert path([]) == ""
