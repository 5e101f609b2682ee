from .animation import write_gif as write_gif
from .reading import Video as Video
from .reading import read_video as read_video
from .writing import write_video as write_video
