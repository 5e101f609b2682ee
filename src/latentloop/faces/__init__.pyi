from .alignment import crop_quad as crop_quad
from .alignment import ffhq_quad as ffhq_quad
from .choice import AlignedFace as AlignedFace
from .choice import align_faces as align_faces
from .choice import whole_square as whole_square
from .detection import FaceDetector as FaceDetector
from .detection import Faces as Faces
from .detection import load_face_detector as load_face_detector
